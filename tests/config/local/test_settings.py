"""What a run on one's own machine keeps."""

from pathlib import Path

from config.local.settings import kept


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    made = kept(tmp_path)

    assert kept(tmp_path) == made
    assert (tmp_path / "local.json").stat().st_mode & 0o777 == 0o600

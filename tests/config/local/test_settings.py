"""What a run on one's own machine keeps."""

from pathlib import Path

from config.local.settings import kept, welcome


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    made = kept(tmp_path)

    assert kept(tmp_path) == made
    assert (tmp_path / "local.json").stat().st_mode & 0o777 == 0o600


def test_the_figures_have_a_token_from_the_first_start_on_and_it_is_printed(tmp_path: Path) -> None:
    made = kept(tmp_path)

    assert len(made["METRICS_TOKEN"]) >= 32
    assert made["METRICS_TOKEN"] in welcome({"PORT": "8000", "DEMO": "0", **made})

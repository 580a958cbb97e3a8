from pathlib import Path

import pytest

from config.env import BASE_DIR
from config.local.procfile import Line, ProcfileUnreadable, read


def test_settings_in_front_are_told_from_the_command(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text('# a comment\n\nweb: A=1 B="two words" serve --port $PORT C=3\n')

    assert read(path, {"PORT": "8001"}) == [
        Line(name="web", settings={"A": "1", "B": "two words"}, command=("serve", "--port", "8001", "C=3"))
    ]


def test_a_line_that_is_no_process_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("web serve\n")

    with pytest.raises(ProcfileUnreadable, match="web serve"):
        read(path, {})


def test_ours_names_every_process_of_an_installation() -> None:
    names = [line.name for line in read(BASE_DIR / "Procfile", {})]

    workers = ["worker-tick", "worker-dial", "worker-webhooks", "worker-default"]
    assert [name for name in names if name != "demo"] == ["release", "web", "beat", *workers, "carrier"]


def test_each_process_goes_by_its_own_name() -> None:
    lines = read(BASE_DIR / "Procfile", {})

    assert all(line.settings.get("PROCESS") for line in lines)

"""The runner over a small Procfile: whatever ends it, no process of ours is left and no port taken."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.local.settings import read_json
from tests.config.processes import belonging_to, eventually, folder_of_ours, interrupt, listening, ports, start


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give one data folder for all, so that each start is one after whatever the test before did."""
    with folder_of_ours() as ours:
        yield ours / "data"


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    """Return a Procfile whose processes answer, ignore TERM, leave children, and fail."""
    (tmp_path / "parent.py").write_text(
        "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\nprint('parent up')\ntime.sleep(600)\n"
    )
    (tmp_path / "stubborn.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('stubborn up')\ntime.sleep(600)\n"
    )
    path = tmp_path / "Procfile"
    path.write_text(
        f"""release: {sys.executable} -uc "print('released')"
web: {sys.executable} -m http.server --bind 127.0.0.1 $PORT
parent: {sys.executable} -u {tmp_path}/parent.py
stubborn: {sys.executable} -u {tmp_path}/stubborn.py
fails: {sys.executable} -uc "print('fails again'); raise SystemExit(3)"
"""
    )
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def begin(folder: Path, procfile: Path, output: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return what starts the runner and waits until everything is up."""
    started = []

    def begin(stop_seconds: float = 0.5) -> subprocess.Popen[bytes]:
        arguments = ("--procfile", str(procfile), "--stop-seconds", str(stop_seconds))
        runner = start("config.local.run", *arguments, folder=folder, output=output)
        started.append(runner)
        wait_until_up(output)
        return runner

    yield begin
    for runner in started:
        runner.kill()
        runner.wait()
    eventually(lambda: not belonging_to(folder), what="the test leaves nothing")


def wait_until_up(output: Path) -> None:
    for text in ("Ringback runs", "parent up", "stubborn up", "fails ended with status 3; again in 1 s"):
        eventually(lambda text=text: text in output.read_text(), what=f"{text!r} in the output")  # type: ignore[misc]


def kept(folder: Path) -> dict[str, str]:
    """Return what stays from one start to the next, whoever else takes ports meanwhile."""
    both = read_json(folder / "servers.json") | read_json(folder / "local.json")
    return {name: value for name, value in both.items() if "port" not in name.lower() and "URL" not in name}


def terminate(runner: subprocess.Popen[bytes]) -> None:
    runner.terminate()


def interrupt_twice(runner: subprocess.Popen[bytes]) -> None:
    interrupt(runner)
    time.sleep(0.4)  # a person's second Ctrl-C
    interrupt(runner)


def kill(runner: subprocess.Popen[bytes]) -> None:
    runner.kill()


@pytest.mark.parametrize(
    ("end", "stop_seconds"), [(interrupt, 0.5), (interrupt_twice, 600), (terminate, 0.5), (kill, 0.5)]
)
def test_whatever_ends_it_no_process_is_left_and_no_port_taken(
    begin: Callable[[float], subprocess.Popen[bytes]],
    folder: Path,
    end: Callable[[subprocess.Popen[bytes]], None],
    stop_seconds: float,
) -> None:
    runner = begin(stop_seconds)
    taken = [port for port in ports(folder) if listening(port)]

    end(runner)
    status = runner.wait(20)

    assert len(taken) == 3
    assert status == (-signal.SIGKILL if end is kill else 0)
    eventually(lambda: not belonging_to(folder), what="no process of ours is left")
    assert [port for port in taken if listening(port)] == []


def test_one_request_told_twice_lets_processes_end_by_themselves(
    begin: Callable[[float], subprocess.Popen[bytes]], output: Path
) -> None:
    runner = begin(2)

    interrupt(runner)
    runner.send_signal(signal.SIGINT)
    runner.wait(20)

    assert "stubborn is killed" in output.read_text()
    assert "parent is killed" not in output.read_text()


def test_after_everything_was_killed_the_next_start_finds_its_data_and_its_secrets(
    begin: Callable[[], subprocess.Popen[bytes]], folder: Path, output: Path
) -> None:
    runner = begin()
    before = kept(folder)
    for line in belonging_to(folder):  # the keepers too: pid files are left behind
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)
    runner.wait()
    assert (folder / "postgres" / "postmaster.pid").exists()

    begin()

    assert kept(folder) == before
    assert "released" in output.read_text()


def test_it_ends_with_its_parent_when_told_to(folder: Path, procfile: Path, output: Path) -> None:
    code = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    words = ["-m", "config.local.run", "--follow-parent", "--procfile", str(procfile), "--stop-seconds", "0.5"]
    with output.open("wb") as file:
        parent = subprocess.Popen(  # noqa: S603 — our own module
            [sys.executable, "-c", code, sys.executable, *words],
            env={"PATH": os.environ["PATH"], "DATA_DIR": str(folder)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    wait_until_up(output)

    parent.kill()
    parent.wait()

    eventually(lambda: not belonging_to(folder), what="no process of ours is left")


def test_two_checkouts_run_side_by_side(
    begin: Callable[[], subprocess.Popen[bytes]], folder: Path, procfile: Path, tmp_path: Path
) -> None:
    begin()
    other, output = tmp_path / "other", tmp_path / "other-output"
    runner = start(
        "config.local.run", "--procfile", str(procfile), "--stop-seconds", "0.5", folder=other, output=output
    )
    wait_until_up(output)

    shared = set(ports(folder)) & set(ports(other))

    interrupt(runner)
    assert runner.wait(20) == 0
    assert shared == set()


def test_a_port_that_is_asked_for_and_taken_is_named(
    begin: Callable[[], subprocess.Popen[bytes]], folder: Path, procfile: Path, tmp_path: Path
) -> None:
    begin()
    taken = read_json(folder / "local.json")["PORT"]
    output = tmp_path / "other-output"

    runner = start(
        "config.local.run", "--procfile", str(procfile), folder=tmp_path / "other", output=output, PORT=taken
    )

    assert runner.wait(20) == 1
    assert f"port {taken} is taken" in output.read_text()


def test_a_release_that_fails_starts_nothing(folder: Path, tmp_path: Path, output: Path) -> None:
    procfile = tmp_path / "Procfile"
    procfile.write_text(f"release: {sys.executable} -c 'raise SystemExit(4)'\nweb: {sys.executable} -c pass\n")

    runner = start("config.local.run", "--procfile", str(procfile), folder=folder, output=output)

    assert runner.wait(20) == 1
    assert "release failed with status 4" in output.read_text()
    eventually(lambda: not belonging_to(folder), what="no process of ours is left")

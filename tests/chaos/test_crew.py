"""What a storm does to processes is written down with the life that it befell, and they are started again."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.chaos import faults
from tests.chaos.crew import Crew, Process, eventually, of_procfile
from tests.chaos.faults import FaultLog, Kind

WAITS = [sys.executable, "-c", "import time; time.sleep(600)"]
ENDS = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    processes = [Process(name="waits", command=WAITS)]
    with Crew(processes, environment=os.environ, folder=tmp_path, log=FaultLog(tmp_path / "faults")) as crew:
        yield crew


def test_a_process_that_is_killed_lives_again_and_the_fault_names_the_life_that_it_had(crew: Crew) -> None:
    crew.log.end(crew.kill("waits"))

    (fault,) = faults.read(crew.log.path)
    assert (fault.kind, fault.concerns) == (Kind.KILL, ("waits.1",))
    assert fault.until is not None
    assert crew.by_name["waits"].life == "waits.2"


def test_a_process_that_is_stopped_goes_on_in_the_same_life(crew: Crew) -> None:
    keeper = crew.by_name["waits"].keeper
    assert keeper is not None
    was = psutil.Process(keeper.pid)

    crew.stop("waits", seconds=0.2)

    (fault,) = faults.read(crew.log.path)
    assert (fault.kind, fault.concerns) == (Kind.STOP, ("waits.1",))
    assert fault.until is not None
    assert fault.until - fault.at >= 0.2
    assert eventually(lambda: was.status() != psutil.STATUS_STOPPED)


def test_a_process_that_ends_by_itself_is_noted_and_started_again(tmp_path: Path) -> None:
    processes = [Process(name="ends", command=ENDS)]
    with Crew(processes, environment=os.environ, folder=tmp_path, log=FaultLog(tmp_path / "faults")) as crew:
        assert eventually(lambda: len(crew.ended) > 1)

    assert str(crew.ended[0]) == "ends.1 with status 3"
    assert faults.read(tmp_path / "faults") == []


def test_a_worker_that_gives_up_is_noted_when_it_says_so(tmp_path: Path) -> None:
    says = [sys.executable, "-uc", "import time; print('Unrecoverable error: full'); time.sleep(1)"]
    processes = [Process(name="gives-up", command=says)]
    with Crew(processes, environment=os.environ, folder=tmp_path, log=FaultLog(tmp_path / "faults")) as crew:
        assert eventually(lambda: len(crew.ended) > 0)

    (first, *_) = crew.ended
    assert first.gave_up_at is not None
    assert first.at - first.gave_up_at > 0.5


def test_every_process_of_the_procfile_takes_part() -> None:
    names = {process.name for process in of_procfile(os.environ)}

    assert {"web", "beat", "worker-tick", "worker-dial", "worker-webhooks", "worker-default", "carrier"} <= names

"""The processes that are shipped do what is promised, over each broker that is supported."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.processes import folder_of_ours
from tests.real_run.processes import Installation
from tests.real_run.rabbitmq import HOW_TO_INSTALL, RabbitMq, rabbitmq_server
from tests.real_run.run import Run

LEFT_ALONE = os.environ.get("REAL_RUN_LEFT_ALONE") == "1"
"""Whether a retry that nobody touches is waited for, which takes a minute more."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_of_ours() as folder:
        yield folder


def _run(installation: Installation) -> None:
    with installation:
        for finding in Run(installation).act(left_alone=LEFT_ALONE):
            sys.stdout.write(f"kept  {finding.rule}: {finding.seen}\n")


def test_what_is_promised_is_done_over_valkey(folder: Path) -> None:
    _run(Installation(folder))


def test_what_is_promised_is_done_over_rabbitmq(folder: Path) -> None:
    program = rabbitmq_server()
    if program is None:
        pytest.skip(HOW_TO_INSTALL)
    _run(Installation(folder, broker=RabbitMq(program, folder / "rabbitmq")))

"""The processes that are shipped do what is promised, over each broker that is supported."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.processes import folder_of_ours
from tests.rabbitmq import RabbitMQ, is_installed
from tests.real_run.processes import Installation
from tests.real_run.run import Run

LEFT_ALONE = os.environ.get("REAL_RUN_LEFT_ALONE") == "1"
"""Whether a retry that nobody touches is waited for, which takes a minute more."""


pytestmark = pytest.mark.timeout(600)


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
    if os.environ.get("BROKER") != "rabbitmq":
        pytest.skip("once over Valkey is enough beside the suite: make real-run BROKER=rabbitmq")
    if not is_installed():
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server (Debian), and disable its service")
    _run(Installation(folder, broker=RabbitMQ(folder)))

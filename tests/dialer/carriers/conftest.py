"""A place that carriers can report to."""

from collections.abc import Iterator

import pytest

from tests.dialer.carriers.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver

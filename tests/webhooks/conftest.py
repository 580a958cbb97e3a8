from collections.abc import Iterator

import pytest

from tests.webhooks.receivers import Receivers, receivers
from tests.webhooks.sending import make_sender
from webhooks.sender import Sender


@pytest.fixture
def servers() -> Iterator[Receivers]:
    with receivers() as running:
        yield running


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = make_sender()
    yield made
    made.close()

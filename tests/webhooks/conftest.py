from collections.abc import Iterator

import pytest

from tests.webhooks.receivers import Receivers, receivers


@pytest.fixture
def servers() -> Iterator[Receivers]:
    with receivers() as running:
        yield running

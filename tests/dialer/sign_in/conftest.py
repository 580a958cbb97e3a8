from collections.abc import Iterator

import pytest

from dialer.workspaces.models import Workspace
from tests.dialer.sign_in.people import forget_attempts
from tests.factories import make_workspace


@pytest.fixture(autouse=True)
def _nobody_has_tried_yet() -> Iterator[None]:
    forget_attempts()
    yield
    forget_attempts()


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()

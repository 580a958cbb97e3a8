"""Whatever a test of the product lets be told must fit its published schema: looked at when the test is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.contracts.schemas import faults, recorded

_TESTS = Path(__file__).resolve().parents[1]
_WATCHED = ("callbacks", "contracts", "conformance", "decisions", "dialer", "reference")
"""Where what is told comes of what happened; elsewhere tests make up events of their own."""


@pytest.fixture(autouse=True)
def _payloads_fit_their_schemas(request: pytest.FixtureRequest, _django_db_marker: None) -> Iterator[None]:
    """Check what is recorded, before the test's transaction is rolled back or its tables are emptied."""
    yield
    folder = request.path.relative_to(_TESTS).parts[0]
    if request.node.get_closest_marker("django_db") and folder in _WATCHED and not connection.needs_rollback:
        wrong = [fault for name, payload in recorded() for fault in faults(name, payload)]
        assert wrong == []

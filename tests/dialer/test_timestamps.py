from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from dialer.workspaces.timestamps import UtcLoader

pytestmark = pytest.mark.django_db

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def read_back(at: datetime) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [at])
        found: datetime = cursor.fetchone()[0]
    return found


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS))  # noqa: DTZ001 — the zone is drawn
def test_an_instant_comes_back_as_it_was_and_in_utc(at: datetime) -> None:
    found = read_back(at)

    assert found == at
    assert found.tzinfo is UTC


def test_every_connection_reads_timestamps_so() -> None:
    connection.ensure_connection()

    assert (
        connection.connection.adapters.get_loader(connection.connection.adapters.types["timestamptz"].oid, 0)
        is UtcLoader
    )

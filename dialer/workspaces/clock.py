"""The only clock is PostgreSQL's. Views and tasks read it once and pass ``now`` down."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the time of the database server, which advances even within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now

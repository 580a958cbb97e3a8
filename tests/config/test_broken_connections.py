"""A worker's thread outlives its database connection."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection

from config.tasks import heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def run_two_tasks_after_a_break() -> list[str]:
    """Lose the connection as a restart of PostgreSQL takes it away; return what became of the next two tasks."""
    try:
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return [heartbeat.apply(args=("tick",)).state for _ in range(2)]
    finally:
        connection.close()


def test_a_thread_whose_connection_broke_fails_one_task_and_no_other() -> None:
    with ThreadPoolExecutor(max_workers=1) as worker:
        states = worker.submit(run_two_tasks_after_a_break).result()

    assert states == ["FAILURE", "SUCCESS"]

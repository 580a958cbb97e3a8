"""A pool of one database connection, as the processes of the ``Procfile`` have larger ones."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from psycopg_pool import ConnectionPool


@pytest.fixture
def pool(transactional_db: None) -> Iterator["Pool"]:
    """Let every connection of the test come from one pool that has one."""
    options = connection.settings_dict["OPTIONS"]
    mine: Any = connection
    mine.close()
    mine.close_pool()
    connection.settings_dict["OPTIONS"] = {**options, "pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    try:
        mine.ensure_connection()  # the pool has opened its own
        mine.close()
        yield Pool(mine.pool)
    finally:
        mine.close()
        mine.close_pool()
        connection.settings_dict["OPTIONS"] = options


class Pool:
    """Notes, whenever it is asked to, whether the connection is in the pool or with somebody."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self.seen: list[bool] = []
        """Whether it was taken, at each look."""

    def look(self, *_: object) -> None:
        """Look from any thread."""
        stats = self._pool.get_stats()
        self.seen.append(stats["pool_available"] < stats["pool_size"])

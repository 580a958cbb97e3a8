"""PostgreSQL and the broker as a storm treats them: killed like their host, started again as they were started."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import psutil
from django.conf import settings
from django.db import DatabaseError, connection
from redis import Redis, RedisError

from config.celery import QUEUES
from config.local.keeper import start_kept
from dialer.workspaces.clock import database_now
from tests.chaos.crew import eventually
from tests.rabbitmq import RabbitMQ

_FULL = 1


class Broker(Protocol):
    """What may befall a broker."""

    def kill(self) -> None: ...
    def start(self) -> None: ...
    def flush(self) -> None: ...
    def fill(self) -> None: ...
    def relieve(self) -> None: ...


class Postgres:
    """The server behind the settings, which must write durably."""

    def crash(self) -> None:
        """Kill every process of it at once, as a power failure does, and wait until it has recovered."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (backend,) = cursor.fetchone() or (0,)
        server = psutil.Process(psutil.Process(backend).ppid())
        command, user = server.cmdline(), user_of(server)
        kill_tree(server)
        connection.close()
        start_kept(command, user=user, output=subprocess.DEVNULL)
        eventually(_database_answers, within_seconds=30)


class Valkey:
    """The server behind the settings, broker and counters alike."""

    def __init__(self, url: str | None = None) -> None:
        self._redis = Redis.from_url(url or settings.REDIS_URL, socket_timeout=2)
        said = self._redis.info("server")
        self._command: Sequence[str | Path] = [said["executable"], said["config_file"]]
        self._user = user_of(psutil.Process(said["process_id"]))

    def kill(self) -> None:
        kill_tree(psutil.Process(self._redis.info("server")["process_id"]))

    def start(self) -> None:
        start_kept(self._command, user=self._user, output=subprocess.DEVNULL)
        eventually(lambda: bool(self._redis.ping()), within_seconds=30, but=RedisError)

    def flush(self) -> None:
        self._redis.flushdb()

    def fill(self) -> None:
        """Leave no room for anything more, so that every write is refused."""
        self._redis.config_set("maxmemory", _FULL)

    def relieve(self) -> None:
        self._redis.config_set("maxmemory", 0)


class Rabbit:
    """A node of the storm's own, as a broker of storms."""

    def __init__(self, node: RabbitMQ) -> None:
        self._node = node
        self.kill, self.start, self.fill, self.relieve = node.kill, node.start, node.fill, node.relieve

    def flush(self) -> None:
        self._node.purge(*QUEUES)


def kill_tree(server: psutil.Process) -> None:
    family = [server, *server.children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=20)


def user_of(server: psutil.Process) -> str | None:
    """Return who runs a server; ``None`` where we do."""
    return server.username() if server.uids().real != os.getuid() else None


def _database_answers() -> bool:
    try:
        database_now()
    except DatabaseError:
        connection.close()
        time.sleep(0.05)
        return False
    return True

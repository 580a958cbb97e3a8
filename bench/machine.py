"""What the bench ran on: the machine, the versions, and how durable the servers are."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
from redis import Redis

from bench.peers.catalogue import PEERS
from bench.peers.workers import version_of

_POSTGRESQL = (
    *("fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers", "max_wal_size"),
    *("checkpoint_timeout", "jit", "max_connections"),
)
_VALKEY = ("appendonly", "appendfsync", "save", "maxmemory-policy")
_PACKAGES = ("Django", "celery", "kombu", "redis", "psycopg", "gunicorn", "requests")


def machine() -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of what Ringback runs on, and of each peer, empty if it is not installed."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        (postgresql,) = connection.execute("SHOW server_version").fetchone() or ("",)
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        server = client.info("server")
    return {
        "Python": sys.version.split()[0],
        "PostgreSQL": postgresql,
        "Valkey": server.get("valkey_version", server["redis_version"]),
        **{package: version(package) for package in _PACKAGES},
        **{peer.name: version_of(peer) for peer in PEERS},
    }


def durability() -> dict[str, dict[str, str]]:
    """Return the settings of both servers that decide what a commit costs, and what a power failure loses."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (list(_POSTGRESQL),)
        ).fetchall()
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        valkey = {name: str(client.config_get(name).get(name, "")) for name in _VALKEY}
    return {"PostgreSQL": dict(rows), "Valkey": valkey}


def _processor() -> str:
    """Return the processor's name: Linux says it in a file, other systems to Python."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())

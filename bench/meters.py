"""What a run used: CPU by kind of process, write-ahead log of PostgreSQL, and what anybody else did meanwhile."""

import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil
import psycopg
from redis import Redis

_LOOK_SECONDS = 5
BUSY_CORES = 0.1
"""So much CPU used by others, in cores, makes a machine busy: with two cores, a twentieth of what there is."""
BUSY_STEAL = 0.02
"""The same for the share of its time that a virtual machine was not given."""


def servers() -> dict[str, psutil.Process]:
    """Return the processes of PostgreSQL and Valkey, which have to run on this machine."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        postmaster = psutil.Process(backend).parent()
    assert postmaster is not None
    with Redis.from_url(os.environ["REDIS_URL"]) as client:
        valkey = psutil.Process(client.info("server")["process_id"])
    return {"PostgreSQL": postmaster, "Valkey": valkey}


def cpu_seconds(process: psutil.Process) -> float:
    """Return what a process and its descendants have used so far, those that ended and were waited for included."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


class Meter:
    """CPU seconds by kind of process, and the write-ahead log, from its making to :meth:`read`."""

    def __init__(self, kinds: Mapping[str, Iterable[psutil.Process]]) -> None:
        self._kinds = {**kinds, **{name: (process,) for name, process in servers().items()}}
        self._wal = wal_position()
        self._before = self._cpu()

    def read(self) -> dict[str, float]:
        """Return the CPU seconds by kind since the beginning."""
        return {kind: used - self._before[kind] for kind, used in self._cpu().items()}

    def read_wal(self) -> tuple[int, int, int]:
        """Return the records, their bytes, and the bytes of full pages beside them that were written since."""
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
            found = connection.execute(
                "SELECT sum(count)::bigint, sum(record_size)::bigint, sum(fpi_size)::bigint "
                "FROM pg_get_wal_stats(%s, pg_current_wal_flush_lsn())",
                (self._wal,),
            ).fetchone()
        records, size, pages = found or (0, 0, 0)
        return records or 0, size or 0, pages or 0

    def _cpu(self) -> dict[str, float]:
        return {kind: sum(map(cpu_seconds, processes)) for kind, processes in self._kinds.items()}


def wal_position() -> str:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        found = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert found is not None
    return str(found[0])


class Others:
    """Watches what processes other than the bench's use while it is open; a context manager."""

    def __init__(self) -> None:
        self._ours = [psutil.Process(), *servers().values()]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._seconds = 0.0
        self.load_before, self.load_after = os.getloadavg()[0], 0.0
        self.cores = self.steal = 0.0

    def __enter__(self) -> Self:
        self._times, self._known = psutil.cpu_times(), self._used_by_others()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()
        now = psutil.cpu_times()
        total = sum(now) - sum(self._times)
        wall = total / (psutil.cpu_count() or 1)
        self.cores = self._seconds / wall if wall else 0.0
        self.steal = (now.steal - self._times.steal) / total if total else 0.0
        self.load_after = os.getloadavg()[0]

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        """Add what the processes that are there now used since the last look; what came and went meanwhile is lost."""
        used = self._used_by_others()
        self._seconds += sum(max(0.0, seconds - self._known.get(key, 0.0)) for key, seconds in used.items())
        self._known = used

    def _used_by_others(self) -> dict[tuple[int, float], float]:
        ours = {process.pid for root in self._ours for process in (root, *root.children(recursive=True))}
        used = {}
        for process in psutil.process_iter(["pid", "create_time", "cpu_times"]):
            times = process.info["cpu_times"]
            if process.pid not in ours and times is not None:
                used[process.pid, process.info["create_time"]] = times.user + times.system
        return used


def why_busy(*, cores: float, steal: float) -> str:
    """Return why figures taken meanwhile are not those of an idle machine; empty if they are."""
    reasons = []
    if cores > BUSY_CORES:
        reasons.append(f"other processes used {cores:.2f} cores")
    if steal > BUSY_STEAL:
        reasons.append(f"{steal:.0%} of the virtual machine's time went elsewhere")
    return " and ".join(reasons)

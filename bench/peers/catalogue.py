"""The peers: what is installed for each, how its workers are started, and where it holds what is due later.

Each has two to four processes on two cores, with the options that its own documentation gives for speed and the
shortest poll that it documents. The rest is as it comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HeldIn = Literal["PostgreSQL", "Valkey", "Valkey and worker memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One queue; ``commands`` start its workers, in the environment's ``bin``."""

    name: str
    package: str
    module: str
    held_in: HeldIn
    commands: tuple[tuple[str, ...], ...]
    settings: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_durable(self) -> bool:
        """Whether a job is in PostgreSQL, as the rows are that it is about."""
        return self.held_in == "PostgreSQL"

    @property
    def configuration(self) -> str:
        commands = "; ".join(dict.fromkeys(" ".join(words) for words in self.commands))
        started = "once" if len(self.commands) == 1 else f"{len(self.commands)} times"
        return f"`{commands}` {started}; {self.settings}"


PLAIN_CELERY = Peer(
    name="plain Celery ETA",
    package="celery[redis]",
    module="bench.peers.celery_eta",
    held_in="Valkey and worker memory",
    commands=(
        (
            *("celery", "--quiet", "--app", "bench.peers.celery_eta", "worker", "--pool", "prefork"),
            *("--concurrency", "4", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
    ),
    settings="prefetch multiplier 4 (default), results ignored, visibility timeout 40 days (above the longest delay)",
)

PEERS = (
    PLAIN_CELERY,
    Peer(
        name="procrastinate",
        package="procrastinate",
        module="bench.peers.procrastinate_jobs",
        held_in="PostgreSQL",
        commands=(
            (
                *("procrastinate", "--log-level=warning", "--app", "bench.peers.procrastinate_jobs.app", "worker"),
                *("--concurrency", "4", "--fetch-job-polling-interval", "0.1", "--delete-jobs", "successful"),
            ),
        )
        * 2,
        settings="LISTEN/NOTIFY on (default), jobs deleted when they succeed",
    ),
    Peer(
        name="django-q2",
        package="django-q2",
        module="bench.peers.django_q2_jobs",
        held_in="PostgreSQL",
        commands=(("django-admin", "qcluster"),),
        settings="ORM broker; 4 workers, poll 0.05 s, bulk 20, successes not saved; schedules are looked at every 30 s",
    ),
    Peer(
        name="dramatiq",
        package="dramatiq[redis]",
        module="bench.peers.dramatiq_jobs",
        held_in="Valkey and worker memory",
        commands=(("dramatiq", "bench.peers.dramatiq_jobs", "--processes", "2", "--threads", "4"),),
        settings="no retries; dramatiq_delay_queue_prefetch=20000, because with the default of 4,000 a worker 10,000 "
        "held calls keep it from fetching those that are due sooner",
        environment={"dramatiq_delay_queue_prefetch": "20000"},
    ),
    Peer(
        name="huey",
        package="huey",
        module="bench.peers.huey_jobs",
        held_in="Valkey",
        commands=(
            (
                *("huey_consumer", "bench.peers.huey_jobs.queue", "--workers", "4", "--worker-type", "process"),
                *("--scheduler-interval", "1", "--no-periodic", "--quiet"),
            ),
        ),
        settings="blocking reads (default), results off",
    ),
    Peer(
        name="rq + scheduler",
        package="rq",
        module="bench.peers.rq_jobs",
        held_in="Valkey",
        commands=(("rq", "worker", "bench", "--with-scheduler", "--quiet", "--worker-class", "rq.worker.SimpleWorker"),)
        * 4,
        settings="workers that do not fork for each job (the default does and is slower), results not kept",
    ),
)

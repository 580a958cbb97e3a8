"""The Celery app: queues, routes, and the whole beat schedule.

The queue is in PostgreSQL's rows; a Celery message only makes a worker look at them. So these settings aim at speed and
automatic recovery, not at keeping messages safe.
"""

import gc
import os
import signal
import warnings
from typing import Any
from urllib.parse import urlsplit

from celery import Celery, signals
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # the release has run the checks, and they import every page

from django.conf import settings  # after the line that says which
from django.db import connections

from dialer.workspaces import draining

QUEUES = ("tick", "dial", "webhooks", "default")

ROUTES = {
    "dialer.tick": "tick",
    "dialer.place_calls": "dial",
    "dialer.apply_carrier_events": "dial",
    "dialer.check_open_calls": "dial",
    "dialer.hang_up": "dial",
    "webhooks.retain": "default",  # waits for locks
    "webhooks.replay": "default",  # takes seconds, in which the loop that sends must not wait for a thread
    "webhooks.*": "webhooks",
}
"""Other tasks go to ``default``, where they delay no call and no delivery."""

CLOCKS_APART_SECONDS = 100
"""Beat sets the expiry of messages by its own clock. A worker whose clock is further ahead than this drops all of them
and neither dials nor delivers."""

# (task, interval in seconds, arguments). Messages expire, because the next one finds the same rows.
BEAT: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("dialer.tick", 1, ()),
    ("dialer.apply_carrier_events", 1, ()),
    ("dialer.check_open_calls", 1, ()),
    ("dialer.send_messages", 1, ()),
    ("dialer.sweep_campaigns", 5, ()),
    ("callbacks.keep_deadlines", 10, ()),
    ("dialer.resume_imports", 15, ()),
    ("callbacks.resume_bulks", 15, ()),
    ("dialer.forget_answers", 60, ()),
    ("dialer.forget_sessions", 600, ()),
    ("dialer.erase_contacts", 15, ()),
    ("dialer.retain", 60, ()),
    ("dialer.purge_workspaces", 60, ()),
    ("webhooks.deliver_due", 1, ()),
    ("webhooks.suppress_unheard", 5, ()),
    ("webhooks.mind_endpoints", 5, ()),
    ("webhooks.replay", 1, ()),
    ("webhooks.retain", 60, ()),
    *(("config.heartbeat", 5.0, (queue,)) for queue in QUEUES),
)


def _entry(task: str, every: float, arguments: tuple[str, ...]) -> dict[str, Any]:
    options: dict[str, Any] = {"expires": max(2, every * 2) + CLOCKS_APART_SECONDS}
    if task == "config.heartbeat":
        options["queue"] = arguments[0]  # the row it writes says that a worker consumes this queue
    return {"task": task, "schedule": every, "args": arguments, "options": options}


def _transport_options(scheme: str) -> dict[str, Any]:
    if scheme in ("redis", "rediss"):
        # No retry_on_timeout: it switches off kombu's batched publishing.
        return {
            "global_keyprefix": "ringback:",
            "visibility_timeout": 300,  # far above the longest countdown (HORIZON_SECONDS), or work is handed out twice
            "unacked_restore_interval": 10,  # what a killed worker held comes back after visibility_timeout + 10 s,
            "unacked_restore_throttle": 1,  # not + 100 s
            "max_connections": 64,  # the default of 10 is fewer than a worker has threads
            "socket_timeout": 15,  # without it a publish to a dead host hangs for ever
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,  # a half-open connection is noticed in 20 s, not in 51
        }
    return {"confirm_publish": True, "connect_timeout": 5, "read_timeout": 15, "write_timeout": 15}


# Celery warns of root because of pickled messages; only JSON is accepted here.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

_scheme = urlsplit(settings.BROKER_URL).scheme

app = Celery("ringback")
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_transport_options=_transport_options(_scheme),
    broker_connection_retry_on_startup=True,  # a worker that starts before its broker waits for it,
    broker_connection_max_retries=None,  # for as long as it takes
    broker_pool_acquire_timeout=5,  # the default waits for ever
    broker_heartbeat=10,  # AMQP: a dead peer is noticed in 20 s
    task_default_queue="default",
    # Separate queues and workers, because priorities are only approximate. Without its own routing key each queue would
    # get that of the default queue, and a copy of every message to it.
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_routes={pattern: {"queue": queue} for pattern, queue in ROUTES.items()},
    task_create_missing_queues=False,  # a misspelt queue is an error, not a queue that nobody reads
    task_serializer="json",
    accept_content=["json"],
    task_default_delivery_mode="transient",  # RabbitMQ need not write to disk what PostgreSQL keeps
    task_ignore_result=True,  # results are rows
    result_backend="disabled://",
    task_acks_late=False,  # leases in rows recover lost work; late acks would only add repeats
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0},  # publish at once or leave it to the next tick
    worker_prefetch_multiplier=1,  # a worker holds few messages more than it has threads
    # Not worker_disable_prefetch: a worker with busy threads would then fetch messages only once a second. Measured
    # with 4 threads per process: 180 calls/s with it, 800 without. The calls of a killed worker return by their leases.
    worker_eta_task_limit=20_000,  # only limits memory: above the highest rate times HORIZON_SECONDS
    worker_soft_shutdown_timeout=10,  # a worker that gets QUIT finishes the calls that it is placing
    worker_cancel_long_running_tasks_on_connection_loss=False,  # early ack: never abort placing a call half way
    worker_send_task_events=False,  # nobody listens; /metrics asks PostgreSQL
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    beat_scheduler="celery.beat:Scheduler",  # in memory: the schedule is this table, so there is no state to keep
    beat_max_loop_interval=1,
    beat_schedule={" ".join((task, *arguments)): _entry(task, every, arguments) for task, every, arguments in BEAT},
    timezone="UTC",
    CELERY_DB_REUSE_MAX=1000,  # prefork: without it every task opens a connection, whatever CONN_MAX_AGE says
)
app.autodiscover_tasks()


@signals.setup_logging.connect
def _leave_logging_to_django(**_: object) -> None:
    """Do nothing: a connected handler keeps Celery from configuring logging itself."""


@signals.task_postrun.connect
def _let_go_of_broken_connections(**_: object) -> None:
    """Close a connection that PostgreSQL has ended, so that the thread's next task opens a new one.

    Celery closes connections only after CELERY_DB_REUSE_MAX tasks. Until then every task on a broken connection would
    fail: after a restart of PostgreSQL no tick would claim a call.
    """
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred:
            connection.close_if_unusable_or_obsolete()


@signals.worker_ready.connect
def _calm_the_garbage_collector(**_: object) -> None:
    """Leave what the worker has loaded out of every collection, and collect less often.

    A full collection visited all of Django: it stopped the loop that sends webhooks for some 0.4 s, and was an eighth
    of Python's time on a call's way.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@signals.worker_shutting_down.connect
def _end_the_loops(**_: object) -> None:
    """End the drains, because a stopping worker waits for its tasks and drains run for half a minute."""
    draining.stop_all()


@signals.beat_init.connect
def _let_beat_end_at_once(**_: object) -> None:
    """Replace Celery's signal handler, which raises an exception that is lost during a publish.

    Beat has no state, so it may end between any two instructions.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))

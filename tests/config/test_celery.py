import fnmatch
import gc
import pickle
from datetime import datetime, timedelta

import pytest
from celery import signals
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads, prepare_accept_content

from config.celery import QUEUES, ROUTES, app
from config.env import BASE_DIR
from config.local.procfile import read


def test_every_route_leads_somebody_somewhere() -> None:
    app.loader.import_default_modules()

    unused = [pattern for pattern in ROUTES if not fnmatch.filter(app.tasks, pattern)]

    assert unused == []
    assert set(ROUTES.values()) <= set(QUEUES)


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("dialer.tick", "tick"),
        ("dialer.place_calls", "dial"),
        ("dialer.apply_carrier_events", "dial"),
        ("dialer.check_open_calls", "dial"),
        ("webhooks.deliver_due", "webhooks"),
        ("webhooks.replay", "default"),
        ("webhooks.retain", "default"),
        ("callbacks.run_bulk", "default"),
    ],
)
def test_what_takes_long_waits_where_it_delays_no_call_and_no_delivery(task: str, queue: str) -> None:
    route = app.amqp.router.route({}, task)

    assert route["queue"].name == queue


@pytest.mark.parametrize("queue", QUEUES)
def test_each_sign_of_life_goes_through_the_queue_that_it_is_for(queue: str) -> None:
    assert app.conf.beat_schedule[f"config.heartbeat {queue}"]["options"]["queue"] == queue


def test_each_queue_has_a_worker_of_its_own_in_the_procfile() -> None:
    commands = [line.command for line in read(BASE_DIR / "Procfile", {"PORT": "8000"}) if "worker" in line.command]

    consumed = [command[command.index("--queues") + 1] for command in commands]

    assert sorted(consumed) == sorted(QUEUES)


def test_a_message_reaches_its_own_queue_only() -> None:
    bindings = {(queue.exchange.name, queue.routing_key) for queue in app.amqp.queues.values()}

    assert bindings == {(name, name) for name in QUEUES}


def test_however_long_nobody_works_nudges_off_they_do_not_pile_up() -> None:
    waiting = sum(entry["options"]["expires"] / entry["schedule"] for entry in app.conf.beat_schedule.values())

    assert waiting < 1_000


def test_a_worker_whose_clock_is_ahead_of_beats_takes_its_nudges() -> None:
    ahead = timedelta(seconds=90)
    for entry in app.conf.beat_schedule.values():
        sent = app.now()
        message = app.amqp.as_task_v2("1", entry["task"], expires=entry["options"]["expires"], now=sent)

        expires_at = datetime.fromisoformat(message.headers["expires"])
        assert sent + ahead < expires_at, entry["task"]


@pytest.mark.parametrize("setting", ["task_acks_late", "worker_send_task_events", "task_create_missing_queues"])
def test_what_would_repeat_or_slow_work_is_off(setting: str) -> None:
    assert app.conf[setting] is False


def test_a_worker_that_is_ready_spares_the_collector_what_it_has_loaded() -> None:
    signals.worker_ready.send(sender=None)

    try:
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()


def test_the_broker_brings_data_and_no_pickles() -> None:
    accepted = app.conf.accept_content

    with pytest.raises(ContentDisallowed):
        loads(pickle.dumps(1), "application/x-python-serialize", "binary", accept=prepare_accept_content(accepted))

    assert (accepted, app.conf.task_serializer) == (["json"], "json")

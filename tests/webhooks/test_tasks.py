import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from tests.draining import at_work, stoppable
from tests.factories import make_workspace
from tests.webhooks.receivers import OK, Receivers, read_request
from tests.webhooks.rows import make_delivery, make_endpoint, new_event, record
from webhooks import replay as replays
from webhooks.models import Delivery, Endpoint
from webhooks.rules.circuit import HOPELESS_AFTER, HOPELESS_FAILURES
from webhooks.tasks import deliver_due, mind_endpoints, replay, suppress_unheard

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["stoppable"]

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _receivers_may_be_here(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def loop(stoppable: None) -> Iterator[threading.Thread]:
    """The task at work in a thread, as in a worker."""
    with at_work(deliver_due.apply) as thread:
        yield thread


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until, "it does not come to that"
        time.sleep(0.01)


def test_events_recorded_while_the_loop_runs_are_delivered_without_a_further_nudge(
    servers: Receivers, loop: threading.Thread
) -> None:
    workspace = make_workspace()
    receiver = servers.answering()
    make_endpoint(workspace, url=receiver.url())

    for number in range(3):
        record(new_event(workspace), now=database_now())
        wait_until(lambda number=number: len(receiver.requests) == number + 1)  # type: ignore[misc]

    assert loop.is_alive()
    wait_until(lambda: Delivery.objects.filter(status="delivered").count() == 3)


def test_a_nudge_that_finds_the_loop_running_returns_at_once(servers: Receivers, loop: threading.Thread) -> None:
    workspace = make_workspace()
    receiver = servers.answering()
    make_endpoint(workspace, url=receiver.url())
    record(new_event(workspace), now=database_now())
    wait_until(lambda: len(receiver.requests) == 1)

    began = time.monotonic()
    deliver_due.apply(throw=True)

    assert time.monotonic() - began < 1
    assert loop.is_alive()


def test_what_is_under_way_when_the_loop_ends_is_settled(servers: Receivers, stoppable: None) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(0.5)
        writer.write(OK)
        await writer.drain()

    receiver = servers.running(slowly)
    make_delivery(make_endpoint(url=receiver.url()), now=database_now())

    with at_work(deliver_due.apply):
        wait_until(lambda: receiver.connections == 1)

    assert Delivery.objects.get().status == "delivered"


def test_the_loop_dials_no_network_that_the_setting_does_not_allow(
    servers: Receivers, settings: Settings, stoppable: None
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    receiver = servers.answering()
    make_delivery(make_endpoint(url=receiver.url()), now=database_now())

    with at_work(deliver_due.apply):
        wait_until(lambda: Delivery.objects.filter(status="failed").exists())

    assert Delivery.objects.get().last_error == "forbidden_address"
    assert receiver.connections == 0


def test_what_is_pending_for_an_endpoint_that_was_switched_off_is_suppressed() -> None:
    workspace = make_workspace()
    endpoint = make_endpoint(workspace)
    record(new_event(workspace), now=database_now())
    Endpoint.objects.filter(pk=endpoint.pk).update(is_active=False)

    suppress_unheard.apply(throw=True)

    assert Delivery.objects.get().status == "suppressed"


def failed_delivery(endpoint: Endpoint) -> Delivery:
    """Make one that failed a minute ago in a way that may pass."""
    a_minute_ago = database_now() - MINUTE
    delivery = make_delivery(endpoint, now=a_minute_ago)
    fields = {"status": "failed", "settled_at": a_minute_ago, "is_recoverable": True}
    Delivery.objects.filter(pk=delivery.pk).update(**fields)
    return delivery


def test_what_failed_waits_again_when_its_endpoint_has_answered_since() -> None:
    lost = failed_delivery(make_endpoint(last_delivery_at=database_now()))

    mind_endpoints.apply(throw=True)

    lost.refresh_from_db()
    assert lost.status == "pending"


def test_an_endpoint_that_took_nothing_for_days_is_switched_off() -> None:
    now = database_now()
    endpoint = make_endpoint(
        failing_since=now - HOPELESS_AFTER - MINUTE, last_error_at=now, failure_run=HOPELESS_FAILURES
    )

    mind_endpoints.apply(throw=True)

    endpoint.refresh_from_db()
    assert not endpoint.is_active


def test_a_replay_that_was_asked_for_is_worked_off_to_its_end_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = make_endpoint()
    lost = [failed_delivery(endpoint) for _ in range(3)]
    now = database_now()
    wanted = replays.Wanted(since=now - 2 * MINUTE)
    started = replays.start(endpoint.pk, wanted, workspace_id=endpoint.workspace_id, actor=SYSTEM, now=now)
    one_by_one = functools.partial(replays.run_batch, limit=1)
    monkeypatch.setattr(replays, "run_batch", one_by_one)

    replay.apply(throw=True)

    assert set(Delivery.objects.filter(status="pending").values_list("pk", flat=True)) == {each.pk for each in lost}
    started.refresh_from_db()
    assert (started.status, started.replayed) == ("done", 3)

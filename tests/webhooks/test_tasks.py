import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from dialer.workspaces import draining
from dialer.workspaces.clock import database_now
from tests.factories import make_workspace
from tests.webhooks.receivers import Receivers
from tests.webhooks.rows import make_endpoint, new_event, record
from webhooks.models import Delivery, Endpoint
from webhooks.tasks import deliver_due, suppress_unheard

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _stoppable(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(draining, "_stopping", threading.Event())


@pytest.fixture
def loop() -> Iterator[threading.Thread]:
    """The task at work in a thread, as in a worker; stopped as a worker that shuts down stops it."""

    def work() -> None:
        try:
            deliver_due.apply(throw=True)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    draining.stop_all()
    thread.join(10)
    assert not thread.is_alive()


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


def test_what_is_pending_for_an_endpoint_that_was_switched_off_is_suppressed() -> None:
    workspace = make_workspace()
    endpoint = make_endpoint(workspace)
    record(new_event(workspace), now=database_now())
    Endpoint.objects.filter(pk=endpoint.pk).update(is_active=False)

    suppress_unheard.apply(throw=True)

    assert Delivery.objects.get().status == "suppressed"

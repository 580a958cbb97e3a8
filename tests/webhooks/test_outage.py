"""A receiver goes down and comes back: nobody sends anything again by hand, and everything has arrived."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from dialer.workspaces.clock import database_now
from tests.factories import make_workspace
from tests.webhooks.receivers import OK, Receivers
from tests.webhooks.rows import make_endpoint, new_event, record
from tests.webhooks.sending import run_until
from webhooks.endpoint_health import recover
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.sender import Sender
from webhooks.transport import Transport

pytestmark = pytest.mark.django_db(transaction=True)

DOWN = b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"
TOLD = 40


class Clock:
    """PostgreSQL's clock, put forward by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return database_now() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sender(clock: Clock) -> Iterator[Sender]:
    made = Sender(Transport(allowed_networks=["127.0.0.0/8"]), clock=clock)
    yield made
    made.close()


def test_an_outage_costs_nobody_an_event(servers: Receivers, sender: Sender, clock: Clock) -> None:
    workspace = make_workspace()
    refusals = 15
    receiver = servers.answering(*[DOWN] * refusals, OK)
    endpoint = make_endpoint(workspace, url=receiver.url(), max_retries=0, max_in_flight=5)
    record(*(new_event(workspace, data={"number": n}) for n in range(TOLD)), now=database_now())

    while len(receiver.requests) < refusals:  # the circuit opens, and each probe is refused
        seen = len(receiver.requests)
        run_until(sender, lambda seen=seen: DeliveryAttempt.objects.count() > seen and sender.is_idle)  # type: ignore[misc]
        endpoint.refresh_from_db()
        if endpoint.open_until is not None:
            clock.ahead = endpoint.open_until - database_now()
    waited = Delivery.objects.filter(status="pending", generation=0).count()
    run_until(sender, lambda: not Delivery.objects.filter(status="pending").exists())
    recovered = recover(now=clock(), limit=100)
    run_until(sender, lambda: not Delivery.objects.filter(status="pending").exists())

    assert waited == TOLD - refusals, "what waited for the circuit has used up no attempt"
    assert len(recovered) == refusals
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == TOLD
    endpoint.refresh_from_db()
    assert (endpoint.trips, endpoint.failure_run, endpoint.failing_since) == (0, 0, None)

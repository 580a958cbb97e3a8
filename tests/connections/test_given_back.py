"""No database connection is held while somebody outside is asked: a slow one would keep it from everybody else.

Seen from the pool, at the moment at which the question arrives there.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from dialer.carriers.base import Accepted, Answer, LookUp, NotFound, PlaceRequest, SendAnswer, SendRequest, Sent
from dialer.dialing import hanging_up, placing, reconciliation
from dialer.messages import messages
from dialer.models import Call
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Workspace
from tests.admin.people import browser_of
from tests.admin.test_campaigns import filled_in as campaign_form
from tests.api.client import Api
from tests.connections.pool import Pool, pool
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim
from tests.webhooks.admin.test_pages import filled_in as endpoint_form
from tests.webhooks.name_server import NameServer
from tests.webhooks.receivers import Receivers, receivers
from webhooks.destinations import url_error

__all__ = ["carrier", "pool"]

HOOK = "https://crm.example/hook"


@pytest.fixture
def workspace(pool: Pool) -> Workspace:
    workspace = make_workspace(schedule=ROUND_THE_CLOCK)
    make_persona(workspace)
    make_line(workspace, is_default=True)
    return workspace


@pytest.fixture
def carrier_looks(pool: Pool, carrier: InProcessCarrier) -> InProcessCarrier:
    """Let the carrier look at the pool whenever it is asked for anything."""

    def answer(request: PlaceRequest) -> Answer:
        pool.look()
        return Accepted(carrier_call_id=f"c-{request.call_id}")

    def fate(call_id: UUID) -> LookUp:
        pool.look()
        return NotFound()

    def send(request: SendRequest) -> SendAnswer:
        pool.look()
        return Sent(carrier_message_id=f"c-{request.message_id}")

    carrier.answer, carrier.fate, carrier.send_answer, carrier.on_hang_up = answer, fate, send, pool.look
    return carrier


@pytest.fixture
def name_server_looks(pool: Pool, settings: Settings) -> Iterator[NameServer]:
    """Let the name server look at the pool whenever it is asked for an address."""

    class Looking(NameServer):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            pool.look()
            super().datagram_received(data, addr)

    async def start(running: Receivers) -> NameServer:
        _, server = await running.loop.create_datagram_endpoint(
            lambda: Looking({"crm.example": ["9.9.9.9"]}, ttl=0), local_addr=("127.0.0.1", 0)
        )
        return server

    with receivers() as running:
        server: NameServer = running.call(start(running))
        settings.WEBHOOK_DNS_SERVERS = [server.address]
        yield server


def test_the_pool_sees_a_connection_that_is_held(pool: Pool) -> None:
    connection.close()
    pool.look()
    connection.ensure_connection()
    pool.look()

    assert pool.seen == [False, True]


@pytest.mark.parametrize("calls", [1, 3])
def test_while_calls_are_placed(pool: Pool, workspace: Workspace, carrier_looks: InProcessCarrier, calls: int) -> None:
    campaign = make_campaign(workspace)
    for _ in range(calls):
        make_call(campaign_contact=make_campaign_contact(campaign, state="calling"))

    placing.place(claim(NOW), now=NOW)

    assert len(carrier_looks.placed) == calls
    assert pool.seen == [False] * calls


def test_while_a_call_is_looked_up(pool: Pool, workspace: Workspace, carrier_looks: InProcessCarrier) -> None:
    make_call(make_contact(workspace), status="dialing", check_at=NOW)

    reconciliation.check_due(limit=10, now=NOW + timedelta(seconds=20))

    assert pool.seen == [False]


def test_while_a_call_is_hung_up(pool: Pool, workspace: Workspace, carrier_looks: InProcessCarrier) -> None:
    call = make_call(make_contact(workspace), status="in_progress", cancel_requested_at=NOW, hang_up_at=NOW)

    hanging_up.ask_due(limit=10, now=NOW)

    assert carrier_looks.hung_up == [call.pk]
    assert pool.seen == [False]


def test_while_messages_are_sent(pool: Pool, workspace: Workspace, carrier_looks: InProcessCarrier) -> None:
    for _ in range(2):
        contact = make_contact(workspace)
        messages.create(workspace.pk, body="At five", contact_id=contact.pk, actor=SYSTEM, now=NOW)

    messages.send_due(limit=10, now=NOW)

    assert len(carrier_looks.texts) == 2
    assert pool.seen == [False, False]


BODIES: dict[str, dict[str, object]] = {
    "POST webhooks/": {"name": "CRM", "url": HOOK, "events": ["*"]},
    "PATCH webhooks/{endpoint}/": {"url": HOOK},
    "POST campaigns/": {"name": "Spring", "status_callback": HOOK},
    "PATCH campaigns/{campaign}/": {"call_status_callback": HOOK},
    "POST calls/": {"config": {"webhooks": [{"url": HOOK, "events": ["call.ended"], "secret": "hush"}]}},
}


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "once"}], ids=["", "once"])
@pytest.mark.parametrize("route", BODIES)
@pytest.mark.usefixtures("name_server_looks")
def test_while_the_api_asks_where_a_url_leads(
    pool: Pool, workspace: Workspace, route: str, headers: dict[str, str]
) -> None:
    api = Api(workspace, scope="admin")
    campaign, contact = make_campaign(workspace, status="draft"), make_contact(workspace)
    endpoint = api.post("webhooks/", {"name": "ERP", "url": "https://9.9.9.9/", "events": ["*"]}).json()["id"]
    method, path = route.format(endpoint=endpoint, campaign=campaign.public_id).split(" ")
    persona = {"persona_id": campaign.persona.public_id}
    needed = {"POST campaigns/": persona, "POST calls/": {**persona, "contact_id": contact.public_id}}

    answer = api.send(method, path, {**BODIES[route], **needed.get(route, {})}, **headers)

    assert answer.status_code in (200, 201), answer.content
    assert pool.seen
    assert set(pool.seen) == {False}


@pytest.mark.parametrize("page", ["webhooks_endpoint_add", "dialer_campaign_add"])
@pytest.mark.usefixtures("name_server_looks")
def test_while_a_page_asks_where_a_url_leads(pool: Pool, workspace: Workspace, page: str) -> None:
    browser: Client = browser_of(None, is_superuser=True)
    if page == "webhooks_endpoint_add":
        form = endpoint_form(workspace, url=HOOK)
    else:
        hooks = [{"url": HOOK, "events": ["call.ended"], "secret": "hush"}]
        form = campaign_form(workspace, status_callback=HOOK, config_webhooks=json.dumps(hooks))

    answer = browser.post(reverse(f"admin:{page}"), form)

    # The page of a new endpoint shows its secret once, instead of leading to another.
    assert answer.status_code == (200 if page == "webhooks_endpoint_add" else 302), answer.content.decode()
    assert pool.seen
    assert set(pool.seen) == {False}


@pytest.mark.usefixtures("name_server_looks")
def test_a_transaction_that_asks_where_a_url_leads_is_kept_whole(pool: Pool) -> None:
    """Nobody is to do so; whoever does all the same holds the connection, and loses nothing."""
    with transaction.atomic():
        workspace = make_workspace()
        assert url_error(HOOK) is None
        make_line(workspace)

    assert Workspace.objects.get() == workspace
    assert set(pool.seen) == {True}


def test_the_calls_that_were_placed_are_written_down_afterwards(
    pool: Pool, workspace: Workspace, carrier_looks: InProcessCarrier
) -> None:
    make_call(campaign_contact=make_campaign_contact(make_campaign(workspace), state="calling"))

    placing.place(claim(NOW), now=NOW)

    assert Call.objects.get().carrier_call_id.startswith("c-")

"""The demo's inbox: what is signed is told from what is not, by the published verifier."""

import json
import time
from typing import Any

import pytest
from django.test import Client

from config.demo import inbox
from config.models import InboxMessage
from tests.factories import NOW, make_workspace
from webhooks.models import Endpoint
from webhooks.rules.signature import Signer, sign
from webhooks.rules.statuses import SigningMethod

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.demo.inbox")]
SECRET = "whsec_c2VjcmV0IG9mIHRoZSBpbmJveCBpbiB0ZXN0cw=="  # noqa: S105 — guards nothing
BODY = b'{"event":"call.ended","event_id":"evt_1","data":{"outcome":"busy"}}'


@pytest.fixture
def endpoint() -> Endpoint:
    made: Endpoint = Endpoint.objects.create(
        workspace=make_workspace(),
        name="Inbox",
        url="http://127.0.0.1:8000/demo/inbox/demo/",
        events=["*"],
        secret=SECRET,
    )
    return made


def send(client: Client, *, secret: str = SECRET, body: bytes = BODY, message_id: str = "evt_1") -> Any:
    signer = Signer(method=SigningMethod.HMAC_SHA256, secret=secret)
    signed = sign(signer, body=BODY, message_id=message_id, timestamp=int(time.time()), prefix="X-Test")
    return client.post("/inbox/demo/", body, content_type="application/json", headers=dict(signed))


def test_a_signed_message_is_verified(client: Client, endpoint: Endpoint) -> None:
    response = send(client)

    message = InboxMessage.objects.get()
    assert response.status_code == 204
    assert (message.event, message.problem, bytes(message.body)) == ("call.ended", "", BODY)


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "whsec_YW5vdGhlciBzZWNyZXQ="}, {"body": BODY.replace(b"busy", b"lazy")}],
    ids=["secret", "body"],
)
def test_what_is_not_signed_by_the_endpoint_is_kept_and_named(
    client: Client, endpoint: Endpoint, wrong: dict[str, Any]
) -> None:
    send(client, **wrong)

    assert InboxMessage.objects.get().problem == "No matching signature found"


def test_a_message_that_comes_again_is_counted_and_not_kept_twice(client: Client, endpoint: Endpoint) -> None:
    send(client)
    send(client)

    assert InboxMessage.objects.get().times == 2


def test_both_secrets_are_taken_while_one_is_rotated(client: Client, endpoint: Endpoint) -> None:
    endpoint.next_secret = "whsec_dGhlIG5leHQgc2VjcmV0"  # noqa: S105 — guards nothing
    endpoint.rotated_at = NOW
    endpoint.save()

    send(client, secret=endpoint.next_secret)

    assert InboxMessage.objects.get().problem == ""


def test_a_message_without_an_id_is_refused(client: Client, endpoint: Endpoint) -> None:
    response = client.post("/inbox/demo/", BODY, content_type="application/json")

    assert response.status_code == 400
    assert not InboxMessage.objects.exists()


def test_the_page_shows_what_came_by_event_and_one_message_whole(client: Client, endpoint: Endpoint) -> None:
    send(client)

    everything = client.get("/inbox/").content.decode()
    other = client.get("/inbox/?event=call.started").content.decode()
    one = client.get("/inbox/?message=evt_1").content.decode()

    assert "evt_1" in everything
    assert "evt_1" not in other
    assert "&quot;outcome&quot;: &quot;busy&quot;" in one


def test_the_summary_counts_what_was_verified(client: Client, endpoint: Endpoint) -> None:
    send(client)
    send(client, message_id="evt_2", secret="whsec_YW5vdGhlciBzZWNyZXQ=")  # noqa: S106 — guards nothing

    told = json.loads(client.get("/inbox.json").content)

    assert (told["count"], told["verified"], told["ids"]) == (2, 1, ["evt_1", "evt_2"])


def test_the_oldest_messages_make_room(client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "KEPT", 1)
    monkeypatch.setattr(inbox, "_SWEEP_EVERY", 1)

    send(client, message_id="evt_1")
    send(client, message_id="evt_2")

    assert InboxMessage.objects.get().message_id == "evt_2"

"""The demo's inbox: what is signed is told from what is not, by the published verifier."""

import json
import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config.demo import inbox
from config.models import Demo, InboxMessage
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import Member, Workspace
from tests.factories import NOW, make_workspace
from webhooks.models import Endpoint
from webhooks.rules.signature import Signer, sign
from webhooks.rules.statuses import SigningMethod

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.config.demo_urls")]
SECRET = "whsec_c2VjcmV0IG9mIHRoZSBpbmJveCBpbiB0ZXN0cw=="  # noqa: S105 — guards nothing
BODY = b'{"event":"call.ended","event_id":"evt_1","data":{"outcome":"busy"}}'


@pytest.fixture
def demo() -> Demo:
    made: Demo = Demo.objects.create(workspace=make_workspace(), started_at=NOW)
    return made


@pytest.fixture
def reader(demo: Demo) -> Client:
    """Return a client with an API key of the demo."""
    _, plain = api_keys.issue(workspace_id=demo.workspace_id, name="Demo", scope="read", actor=SYSTEM, now=NOW)
    return Client(headers={"Authorization": f"Bearer {plain}"})


@pytest.fixture
def endpoint(demo: Demo) -> Endpoint:
    made: Endpoint = Endpoint.objects.create(
        workspace=demo.workspace,
        name="Inbox",
        url="http://127.0.0.1:8000/demo/inbox/demo/",
        events=["*"],
        secret=SECRET,
    )
    return made


def send(client: Client, *, secret: str = SECRET, body: bytes = BODY, message_id: str = "evt_1") -> Any:
    signer = Signer(method=SigningMethod.HMAC_SHA256, secret=secret)
    signed = sign(signer, body=BODY, message_id=message_id, timestamp=int(time.time()), prefix="X-Test")
    return client.post("/demo/inbox/demo/", body, content_type="application/json", headers=dict(signed))


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
    response = client.post("/demo/inbox/demo/", BODY, content_type="application/json")

    assert response.status_code == 400
    assert not InboxMessage.objects.exists()


def test_a_message_that_is_too_large_is_refused(
    client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "LONGEST_BODY", len(BODY))

    assert send(client).status_code == 204
    assert send(client, body=BODY + b" ", message_id="evt_2").status_code == 413
    assert InboxMessage.objects.get().message_id == "evt_1"


def test_the_inbox_is_shown_to_people_of_the_demo_alone(demo: Demo, endpoint: Endpoint) -> None:
    send(Client())
    _, foreign = api_keys.issue(workspace_id=make_workspace().pk, name="Other", scope="admin", actor=SYSTEM, now=NOW)

    seen = [
        can_read(Client()),
        can_read(Client(headers={"Authorization": f"Bearer {foreign}"})),
        can_read(signed_in(make_workspace())),
        can_read(signed_in(demo.workspace, is_staff=False)),
        can_read(signed_in(demo.workspace)),
    ]

    assert seen == [False, False, False, False, True]


def can_read(client: Client) -> bool:
    page, summary = client.get("/demo/inbox/?message=evt_1"), client.get("/demo/inbox.json")
    assert (page.status_code, summary.status_code) in {(200, 200), (302, 401)}
    if page.status_code == 302:
        assert page.headers["Location"] == "/admin/login/?next=/demo/inbox/%3Fmessage%3Devt_1"
        assert b"evt_1" not in page.content + summary.content
    return bool(page.status_code == 200)


def signed_in(workspace: Workspace, *, is_staff: bool = True) -> Client:
    user = User.objects.create_user(f"user of {workspace.pk} {is_staff}", is_staff=is_staff)
    Member.objects.create(workspace=workspace, user=user, role="viewer")
    client = Client()
    client.force_login(user)
    return client


def test_the_page_shows_what_came_by_event_and_one_message_whole(reader: Client, endpoint: Endpoint) -> None:
    send(reader)

    everything = reader.get("/demo/inbox/").content.decode()
    other = reader.get("/demo/inbox/?event=call.started").content.decode()
    one = reader.get("/demo/inbox/?message=evt_1").content.decode()

    assert "evt_1" in everything
    assert "evt_1" not in other
    assert "&quot;outcome&quot;: &quot;busy&quot;" in one


def test_the_summary_counts_what_was_verified(reader: Client, endpoint: Endpoint) -> None:
    send(reader)
    send(reader, message_id="evt_2", secret="whsec_YW5vdGhlciBzZWNyZXQ=")  # noqa: S106 — guards nothing

    told = json.loads(reader.get("/demo/inbox.json").content)

    assert (told["count"], told["verified"], told["ids"]) == (2, 1, ["evt_1", "evt_2"])


def test_the_oldest_messages_make_room(client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "KEPT", 1)
    monkeypatch.setattr(inbox, "_SWEEP_EVERY", 1)

    send(client, message_id="evt_1")
    send(client, message_id="evt_2")

    assert InboxMessage.objects.get().message_id == "evt_2"

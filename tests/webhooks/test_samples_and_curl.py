"""What somebody has at hand who connects a receiver: samples of every event, and a delivery as a command."""

import json
import subprocess
from itertools import pairwise
from typing import Any

import pytest

from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from tests.webhooks.receivers import Receivers
from tests.webhooks.rows import NOW, SECRET, make_delivery, make_endpoint
from tests.webhooks.sending import nothing_pending, run_until
from webhooks import endpoints
from webhooks.curl import as_curl
from webhooks.endpoints import NoSample
from webhooks.models import Delivery, Endpoint, Event
from webhooks.rules.statuses import EVENT_TYPES
from webhooks.sender import Sender

OF_THE_CLIENT = {"host", "accept", "content-length"}
"""Headers that a client adds of its own."""
HUSH = 'it\'s "quoted" $HOME'
"""The value of a custom header."""
SHOW_WORDS = """curl() { printf '%s\\0' "$@"; }"""
"""A shell that says what curl would be given."""


def send(endpoint: Endpoint, event_type: str, **options: Any) -> Delivery:
    about: dict[str, Any] = {"workspace_id": endpoint.workspace_id, "actor": SYSTEM, "now": database_now(), **options}
    return endpoints.send_test(endpoint.pk, event_type=event_type, **about)


def words_of(command: str, **variables: str) -> list[str]:
    shell = ["/bin/sh", "-c", f"{SHOW_WORDS}\n{command}"]
    said = subprocess.run(shell, env=variables, check=True, capture_output=True, timeout=20)  # noqa: S603
    return said.stdout.decode().split("\0")


@pytest.mark.django_db
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_sample_of_every_event_goes_to_the_tested_endpoint_alone(event_type: str) -> None:
    endpoint = make_endpoint(events=["campaign.paused"])
    make_endpoint(endpoint.workspace)

    delivery = send(endpoint, event_type)

    assert Delivery.objects.get() == delivery
    event = Event.objects.get()
    assert (event.type, event.is_test) == (event_type, True)


@pytest.mark.django_db
def test_an_endpoint_that_wants_arrays_gets_an_array_or_is_told_that_there_is_none() -> None:
    endpoint = make_endpoint(profile="batch")

    delivery = send(endpoint, "call.exhausted")

    assert [item["eventType"] for item in json.loads(delivery.sent_body)] == ["CallComplete"]
    with pytest.raises(NoSample):
        send(endpoint, "campaign.paused")


@pytest.mark.django_db(transaction=True)
def test_a_test_says_in_a_header_that_it_is_one(servers: Receivers, sender: Sender) -> None:
    receiver = servers.answering()
    endpoint = make_endpoint(url=receiver.url())
    send(endpoint, "call.ended")
    make_delivery(endpoint, now=database_now())

    run_until(sender, nothing_pending)

    told = {request.headers.get("x-kejue-test"): json.loads(request.body)["metadata"] for request in receiver.requests}
    assert told == {"true": {"test": True}, None: {}}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "secret"),
    [("hmac_sha256", SECRET), ("hmac_sha1", SECRET), ("bearer", "a-token"), ("basic_auth", "me:pass"), ("none", None)],
)
def test_the_command_sends_what_the_newest_attempt_sent_and_holds_no_secret(
    servers: Receivers, sender: Sender, method: str, secret: str | None
) -> None:
    receiver = servers.answering()
    endpoint = make_endpoint(
        url=receiver.url(),
        signing_method=method,
        secret=secret,
        custom_headers={"X-Api-Key": HUSH, "X-Api_Key": "2"},
    )
    delivery = make_delivery(endpoint, now=database_now(), data={"text": "Zoë's `id` $(id)\\n ☎"})
    run_until(sender, nothing_pending)

    command = as_curl(delivery.pk)

    assert secret is None or secret not in command
    assert "quoted" not in command
    words = words_of(command, WEBHOOK_SECRET=secret or "", X_API_KEY=HUSH, X_API_KEY_2="2")
    (sent,) = receiver.requests
    assert receiver.url() in words
    assert words[words.index("--data-binary") + 1].encode() == sent.body
    headers = {name: value for name, value in sent.headers.items() if name not in OF_THE_CLIENT}
    if method == "basic_auth":
        assert words[words.index("-u") + 1] == secret
        del headers["authorization"]
    pairs = [word.split(": ", 1) for before, word in pairwise(words) if before == "-H"]
    assert {name.lower(): value for name, value in pairs} == headers


@pytest.mark.django_db
def test_a_delivery_that_cannot_be_signed_is_written_without_a_signature() -> None:
    delivery = make_delivery(make_endpoint(secret="whsec_!"), now=NOW)  # noqa: S106

    assert "ignature" not in as_curl(delivery.pk)

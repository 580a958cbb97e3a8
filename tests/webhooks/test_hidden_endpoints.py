"""Webhooks given with calls, and the URLs of campaigns, as the endpoints that they become."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from dialer.workspaces.models import Workspace
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from webhooks import hidden_endpoints
from webhooks.hidden_endpoints import Frozen, InvalidInline
from webhooks.models import Delivery, Endpoint
from webhooks.rules.custom_headers import MASK

pytestmark = pytest.mark.django_db

HOOK = {"url": "https://crm.example.com/hook", "events": ["call.ended"], "secret": "hush"}


def freeze(workspace: Workspace, *given: dict[str, Any]) -> list[Frozen]:
    return hidden_endpoints.freeze_inline(workspace.id, hidden_endpoints.read_inline(given), now=NOW)


def heard_by() -> set[Any]:
    return set(Delivery.objects.values_list("endpoint_id", flat=True))


def ids(kept: list[Frozen]) -> set[str]:
    return {entry["endpoint_id"] for entry in kept}


def test_equal_webhooks_share_an_endpoint_whatever_events_they_list() -> None:
    workspace = make_workspace()

    first = freeze(workspace, HOOK)
    second = freeze(workspace, {**HOOK, "events": ["*"]}, {**HOOK, "timeout_ms": 5000})

    assert ids(first) == ids(second)
    assert Endpoint.objects.count() == 1
    assert [entry["events"] for entry in first + second] == [["call.ended"], ["*"], ["call.ended"]]


@pytest.mark.parametrize(
    "other",
    [
        {"url": "https://crm.example.com/other"},
        {"secret": "another"},
        {"signing_method": "bearer"},
        {"profile": "batch", "events": ["*"]},
        {"timeout_seconds": 9},
    ],
)
def test_webhooks_that_differ_do_not(other: dict[str, Any]) -> None:
    workspace = make_workspace()

    assert ids(freeze(workspace, HOOK)) != ids(freeze(workspace, {**HOOK, **other}))
    assert ids(freeze(make_workspace(), HOOK)).isdisjoint(ids(freeze(workspace, HOOK)))


def test_what_is_kept_with_a_call_has_no_secret_and_neither_has_the_fingerprint() -> None:
    (kept,) = freeze(make_workspace(), HOOK)

    endpoint = Endpoint.objects.get()
    assert kept == {
        "endpoint_id": str(endpoint.id),
        "url": HOOK["url"],
        "events": ["call.ended"],
        "profile": "envelope",
        "signing_method": "hmac_sha256",
    }
    assert (endpoint.purpose, endpoint.secret, endpoint.name) == ("inline", "hush", "crm.example.com")
    assert "hush" not in repr(hidden_endpoints.read_inline([HOOK]))


def test_one_that_was_given_up_gets_another_chance_when_somebody_names_it_again() -> None:
    workspace = make_workspace()
    freeze(workspace, HOOK)
    Endpoint.objects.update(
        is_active=False, disabled_at=NOW, failing_since=NOW, failure_run=12, trips=3, open_until=NOW
    )

    freeze(workspace, HOOK)

    endpoint = Endpoint.objects.get()
    assert (endpoint.is_active, endpoint.disabled_at, endpoint.failing_since) == (True, None, None)
    assert (endpoint.failure_run, endpoint.trips, endpoint.open_until) == (0, 0, None)


def test_every_fault_of_every_webhook_is_named_by_its_path() -> None:
    with pytest.raises(InvalidInline) as refused:
        hidden_endpoints.read_inline([HOOK, {**HOOK, "url": "nowhere", "colour": "red"}, 5, {**HOOK, "secret": None}])

    assert set(refused.value.errors) == {"1.url", "1.colour", "2", "3.secret"}


def test_events_of_a_call_reach_the_entries_that_list_them_and_no_subscription() -> None:
    workspace = make_workspace()
    make_endpoint(workspace)
    kept = freeze(workspace, HOOK, {**HOOK, "url": "https://other.example.com/", "events": ["call.started"]})

    record(new_event(workspace, type="call.ended", inline_webhooks=kept))
    heard = heard_by()
    record(new_event(workspace, type="call.exhausted", inline_webhooks=kept))

    assert {str(each) for each in heard} == {kept[0]["endpoint_id"]}
    assert heard_by() == heard


@pytest.mark.parametrize("type_", ["callback.scheduled", "campaign.ended", "message.sent"])
def test_other_events_reach_subscriptions_and_the_entries_that_list_them(type_: str) -> None:
    workspace = make_workspace()
    subscription = make_endpoint(workspace)
    silent, listing = freeze(workspace, HOOK, {**HOOK, "url": "https://other.example.com/", "events": [type_]})

    record(new_event(workspace, type=type_, inline_webhooks=[silent, listing]))

    assert {str(each) for each in heard_by()} == {str(subscription.id), listing["endpoint_id"]}


def test_an_entry_that_names_an_event_twice_over_equal_webhooks_hears_it_once() -> None:
    workspace = make_workspace()
    kept = freeze(workspace, HOOK, {**HOOK, "events": ["*"]})

    record(new_event(workspace, inline_webhooks=kept))

    assert Delivery.objects.count() == 1


def test_the_urls_of_a_campaign_hear_their_event_of_that_campaign_beside_whatever_else_hears_it() -> None:
    workspace = make_workspace()
    campaign, other = uuid4(), uuid4()
    subscription = make_endpoint(workspace)
    for each in (campaign, other):
        hidden_endpoints.freeze_status_urls(
            workspace.id, each, {"call.attempted": "https://s.example.com/"}, name="Spring", secret=None, now=NOW
        )
    mine = Endpoint.objects.get(scope_id=campaign)

    def say() -> dict[str, object]:
        return {"status": "completed"}

    record(
        new_event(workspace, type="call.attempted", campaign_id=campaign, status=say),
        new_event(workspace, type="call.attempted", campaign_id=campaign, status=say, inline_webhooks=[]),
        new_event(workspace, type="call.attempted", campaign_id=campaign, status=lambda: None),
        new_event(workspace, type="call.started", campaign_id=campaign),
    )

    bodies = [bytes(row.body or b"") for row in Delivery.objects.filter(endpoint=mine)]
    assert bodies == [b'{"status":"completed"}'] * 2
    assert (mine.signing_method, mine.profile, mine.purpose) == ("none", "status", "status")
    assert Delivery.objects.filter(endpoint=subscription).count() == 3
    assert not Delivery.objects.filter(endpoint__scope_id=other).exists()


def test_custom_headers_of_a_webhook_are_stored_encrypted_and_a_mask_is_no_value() -> None:
    (kept,) = freeze(make_workspace(), {**HOOK, "custom_headers": {"X-Api-Key": "secret-value"}, "ordered": True})

    endpoint = Endpoint.objects.get()
    assert (endpoint.custom_headers, endpoint.ordered) == ({"X-Api-Key": "secret-value"}, True)
    assert "secret-value" not in repr(kept) + str(endpoint.fingerprint)
    with connection.cursor() as cursor:
        cursor.execute("SELECT custom_headers FROM webhooks_endpoint")
        assert b"secret-value" not in bytes(cursor.fetchone()[0])
    with pytest.raises(InvalidInline) as refused:
        hidden_endpoints.read_inline([{**HOOK, "custom_headers": {"X-Api-Key": MASK}}])
    assert set(refused.value.errors) == {"0.custom_headers"}

"""Who would be told, asked over HTTP about a call, a campaign or a persona."""

from typing import Any

import pytest

from tests.api.client import Api, error_of
from tests.api.queue_rows import open_campaign
from tests.factories import make_call, make_contact, make_persona
from tests.webhooks.rows import make_endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api(scope="read")


def reasons(api: Api, **query: str) -> dict[str, str]:
    answer = api.get("webhooks/audience/", **query)
    assert answer.status_code == 200, answer.content
    return {row["name"]: row["reason"] for row in answer.json()["results"]}


def test_an_endpoint_of_a_campaign_hears_of_its_calls_and_not_of_others(api: Api) -> None:
    campaign, other = open_campaign(api.workspace), open_campaign(api.workspace)
    make_endpoint(api.workspace, name="mine", scope_type="campaign", scope_id=campaign.pk)
    call = make_call(campaign=campaign, status="ended")

    assert reasons(api, type="call.ended", call_id=call.public_id) == {"mine": "subscribed"}
    assert reasons(api, type="call.ended", campaign_id=campaign.public_id) == {"mine": "subscribed"}
    assert reasons(api, type="call.ended", campaign_id=other.public_id) == {"mine": "other_scope"}
    assert reasons(api, type="contact.suppressed", campaign_id=campaign.public_id) == {"mine": "other_scope"}


def test_webhooks_of_a_call_stand_beside_what_they_replace(api: Api) -> None:
    make_endpoint(api.workspace, name="CRM")
    given = make_endpoint(api.workspace, name="given", purpose="inline", fingerprint="a")
    entry = {"endpoint_id": str(given.pk), "events": ["call.ended"], "profile": "envelope"}
    call = make_call(campaign=open_campaign(api.workspace), status="ended", config_webhooks=[entry])

    assert reasons(api, type="call.ended", call_id=call.public_id) == {"given": "given_with_it", "CRM": "replaced"}
    assert reasons(api, type="call.started", call_id=call.public_id) == {"given": "other_events", "CRM": "replaced"}
    assert reasons(api, type="callback.late", call_id=call.public_id) == {"CRM": "subscribed"}


def test_an_inbound_call_has_its_result_when_it_ends(api: Api) -> None:
    make_endpoint(api.workspace, name="arrays", profile="batch")
    inbound = make_call(make_contact(api.workspace), direction="inbound", status="ended", outcome="answered")

    assert reasons(api, type="call.ended", call_id=inbound.public_id) == {"arrays": "subscribed"}
    assert reasons(api, type="call.ended") == {"arrays": "no_array"}


def test_an_endpoint_of_a_persona_hears_of_it(api: Api) -> None:
    persona = make_persona(api.workspace)
    make_endpoint(api.workspace, name="mine", scope_type="persona", scope_id=persona.pk)

    assert reasons(api, type="call.ended", persona_id=persona.public_id) == {"mine": "subscribed"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "type"),
        ({"type": "call.finished"}, "type"),
        ({"type": "call.ended", "call_id": "call_1"}, "call_id"),
        ({"type": "call.ended", "limit": "1"}, "limit"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_field(api: Api, query: dict[str, Any], field: str) -> None:
    answer = api.get("webhooks/audience/", **query)

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {field}


def test_one_scope_is_asked_about_at_a_time_and_only_of_ones_own_workspace(api: Api) -> None:
    campaign = open_campaign(api.workspace)
    both = {"campaign_id": campaign.public_id, "persona_id": campaign.persona.public_id}

    assert api.get("webhooks/audience/", type="call.ended", **both).status_code == 400
    assert Api().get("webhooks/audience/", type="call.ended", campaign_id=campaign.public_id).status_code == 400


def test_items_of_arrays_are_asked_for_by_their_own_name(api: Api) -> None:
    make_endpoint(api.workspace, name="arrays", profile="batch", events=["CallComplete"])
    make_endpoint(api.workspace, name="texts", profile="batch", events=["SMSSent"])
    make_endpoint(api.workspace, name="envelopes")
    inbound = make_call(make_contact(api.workspace), direction="inbound", status="ended", outcome="answered")

    for about in ({}, {"call_id": inbound.public_id}):
        assert reasons(api, type="CallComplete", **about) == {
            "arrays": "subscribed",
            "texts": "other_events",
            "envelopes": "arrays_only",
        }
    assert reasons(api, type="SMSSent")["texts"] == "subscribed"

"""Who would hear of an event is decided in words as the outbox decides it in SQL."""

from typing import Any
from uuid import UUID

import pytest
from django.db.models import Q

from dialer.workspaces.models import Workspace
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from webhooks.audience import audience
from webhooks.models import BatchItem, Delivery, Endpoint
from webhooks.outbox import NewItem
from webhooks.rules.audience import Occasion, Reason
from webhooks.rules.statuses import ARRAY_OF, EVENT_TYPES, TEST_EVENT

pytestmark = pytest.mark.django_db

CAMPAIGN, PERSONA, ANOTHER = UUID(int=1), UUID(int=2), UUID(int=3)
OWED = {Reason.SUBSCRIBED, Reason.GIVEN_WITH_IT, Reason.STATUS_URL, Reason.PAUSED, Reason.SWITCHED_OFF}
"""A receiver that is off or paused has a delivery too."""


def make_receivers(workspace: Workspace) -> dict[str, Endpoint]:
    def one(name: str, **fields: Any) -> Endpoint:
        return make_endpoint(workspace, name=name, **fields)

    def of(scope: str, scope_id: UUID) -> dict[str, Any]:
        return {"scope_type": scope, "scope_id": scope_id}

    made = [
        one("all"),
        one("ended", events=["call.ended"]),
        one("off", is_active=False),
        one("paused", paused_at=NOW),
        one("campaign", **of("campaign", CAMPAIGN)),
        one("other campaign", **of("campaign", ANOTHER)),
        one("persona", **of("persona", PERSONA)),
        one("other persona", **of("persona", ANOTHER)),
        one("arrays", profile="batch"),
        one("attempts", profile="batch", events=["CallAttempted"]),
        one("inline", purpose="inline", fingerprint="a", events=["call.ended", "callback.late"]),
        one("inline arrays", purpose="inline", fingerprint="b", profile="batch", events=["CallAttempted"]),
        one("url", purpose="status", profile="status", events=["call.attempted"], **of("campaign", CAMPAIGN)),
        one("gone", deleted_at=NOW, is_active=False),
        one("given elsewhere", purpose="inline", fingerprint="c"),
    ]
    return {endpoint.name: endpoint for endpoint in made}


@pytest.mark.parametrize("scope", [{}, {"campaign_id": CAMPAIGN, "persona_id": PERSONA}, {"persona_id": PERSONA}])
@pytest.mark.parametrize("given", [None, (), ("inline", "inline arrays")])
@pytest.mark.parametrize("event_type", [name for name in EVENT_TYPES if name != TEST_EVENT])
def test_those_are_named_that_are_told(event_type: str, given: tuple[str, ...] | None, scope: dict[str, Any]) -> None:
    workspace = make_workspace()
    receivers = make_receivers(workspace)
    inline = None if given is None else [_frozen(receivers[name]) for name in given]
    array = ARRAY_OF.get(event_type)
    event = new_event(
        workspace,
        type=event_type,
        inline_webhooks=inline,
        batch=NewItem(type=array, render=lambda _: {}) if array else None,
        status=dict,
        **scope,
    )
    occasion = Occasion(type=event_type, batch_type=array, has_inline=inline is not None, **scope)

    named = {
        verdict.endpoint.name
        for verdict in audience(workspace.pk, occasion, inline_webhooks=inline or ())
        if verdict.reason in OWED
    }
    record(event)

    ids = {*Delivery.objects.values_list("endpoint_id", flat=True)}
    ids |= {*BatchItem.objects.values_list("endpoint_id", flat=True)}
    assert named == set(Endpoint.objects.filter(Q(pk__in=ids)).values_list("name", flat=True))


def test_each_that_does_not_hear_is_told_of_with_its_reason() -> None:
    workspace = make_workspace()
    make_receivers(workspace)

    verdicts = audience(workspace.pk, Occasion(type="call.started", campaign_id=CAMPAIGN, persona_id=PERSONA))

    assert {verdict.endpoint.name: verdict.reason.value for verdict in verdicts} == {
        "all": "subscribed",
        "campaign": "subscribed",
        "persona": "subscribed",
        "ended": "other_events",
        "off": "switched_off",
        "paused": "paused",
        "other campaign": "other_scope",
        "other persona": "other_scope",
        "arrays": "no_array",
        "attempts": "no_array",
        "url": "other_events",
    }
    assert [verdict.hears for verdict in verdicts] == [True] * 3 + [False] * 8


def test_webhooks_given_with_a_call_take_the_place_of_subscriptions() -> None:
    workspace = make_workspace()
    receivers = make_receivers(workspace)
    given = [_frozen(receivers["inline"])]

    found = audience(workspace.pk, Occasion(type="call.ended", has_inline=True), inline_webhooks=given)

    reasons = {verdict.endpoint.name: verdict.reason for verdict in found}
    assert reasons["inline"] is Reason.GIVEN_WITH_IT
    assert reasons["all"] is Reason.REPLACED


def test_a_test_is_for_nobody_but_whom_it_is_sent_to() -> None:
    workspace = make_workspace()
    make_receivers(workspace)

    assert {verdict.reason for verdict in audience(workspace.pk, Occasion(type=TEST_EVENT))} == {Reason.TESTS_ONLY}


def test_receivers_of_other_workspaces_are_not_named() -> None:
    workspace = make_workspace()
    mine = make_endpoint(workspace)
    make_endpoint(make_workspace())

    found = audience(workspace.pk, Occasion(type="call.ended"))

    assert [verdict.endpoint for verdict in found] == [mine]


def _frozen(endpoint: Endpoint) -> dict[str, Any]:
    return {"endpoint_id": str(endpoint.pk), "events": endpoint.events, "profile": endpoint.profile}

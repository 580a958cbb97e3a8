"""A story in which everything happens that other systems are told of."""

from datetime import timedelta
from typing import Any, Literal

from callbacks import deadlines
from callbacks.models import Callback
from dialer.campaigns import lifecycle
from dialer.carriers.base import MessageReport, Report
from dialer.dialing import carrier_reports
from dialer.messages import messages
from dialer.messages import reports as message_reports
from dialer.models import Campaign, Message
from dialer.rules.status_callbacks import StatusUrl
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.ids import public_id
from tests.webhooks.rows import make_endpoint
from tests.world import ANSWERS, ASKS_FOR_CALLBACK, BUSY, INVALID, MACHINE, RINGS_OUT, World, a_number
from webhooks import endpoint_health
from webhooks.models import Endpoint
from webhooks.rules.circuit import HOPELESS_AFTER, HOPELESS_FAILURES

FLOW = [
    {"questionName": "Question 1?", "response": "Yes", "transcript": "Yes, gladly."},
    {"questionName": "Question 2?", "response": "Other", "transcript": "Let me think."},
]
_RETRIES = {"callback_retry_schedule": [60, 60], "max_callback_attempts": 2}


def tell_everything(world: World) -> None:
    """Let every kind of event happen at least once, in arrays too."""
    make_endpoint(world.workspace, name="Arrays", url="https://9.9.9.9/batch", profile="batch")
    world.asked_for = {"local_time": "2025-03-13T15:00:00", "notes": "After lunch"}
    _a_campaign_that_ends(world)
    _what_befalls_callbacks(world)
    _campaigns_that_stop(world)
    _a_call_that_comes_in(world)
    _messages(world)
    world.say("suppressions/", {"phone": a_number(ANSWERS)})
    _endpoints(world)


def _a_campaign_that_ends(world: World) -> None:
    asking = a_number(ASKS_FOR_CALLBACK)
    others = [a_number(does) for does in (ANSWERS, MACHINE, INVALID)]
    urls = {url.value: f"https://9.9.9.9/{url.value}" for url in StatusUrl}
    world.campaign(asking, *others, schedule=_RETRIES, metadata={"wave": 3}, **urls)
    world.run_for(hours=1)
    world.does[asking] = ANSWERS
    world.run_for(days=3)
    for call in world.calls():
        if call["outcome"] == "answered":
            world.say(
                f"calls/{call['id']}/analysis/",
                {"summary": "Well.", "outcome_id": "interested", "score": 85, "flow": FLOW, "flow_completed": True},
            )
    world.say(f"calls/{call_of(world, 'answered')}/analysis/", {"summary": "Better.", "replace": True})
    world.sweep()


def _what_befalls_callbacks(world: World) -> None:
    world.campaign(*(a_number(does) for does in (RINGS_OUT,) * 5), schedule=_RETRIES)
    world.run_for(minutes=5)
    moved, skipped, cancelled, completed, superseded = (row["id"] for row in world.pending())
    at = (world.now + timedelta(hours=2)).isoformat()
    world.say(f"callbacks/{moved}/reschedule/", {"scheduled_at": at})
    world.say(f"callbacks/{skipped}/skip/", {})
    world.say(f"callbacks/{cancelled}/cancel/", {})
    world.say(f"callbacks/{completed}/complete/", {})
    contact, campaign = Callback.objects.values_list("contact_id", "campaign_id").get(pk=superseded)
    promised = {"scheduled_at": at, "replace": True, "contact_id": public_id("ct", contact)}
    world.say("callbacks/", {**promised, "campaign_id": public_id("camp", campaign)})
    world.say(f"campaigns/{public_id('camp', campaign)}/pause/", {})
    world.now += timedelta(days=15)
    deadlines.tell_late(now=world.now)
    deadlines.expire(now=world.now)
    world.say(f"campaigns/{public_id('camp', campaign)}/resume/", {"overdue": "cancel"})


def _campaigns_that_stop(world: World) -> None:
    cancelled = world.campaign(a_number(BUSY), schedule=_RETRIES)
    world.say(f"campaigns/{cancelled['id']}/cancel/", {})
    failed = world.campaign(a_number(BUSY), schedule=_RETRIES)
    row = Campaign.objects.get(name=failed["name"])
    lifecycle.fail(row.pk, workspace_id=row.workspace_id, reason="credentials_rejected", actor=SYSTEM, now=world.now)
    world.run_for(days=1)
    for _ in range(2):
        world.sweep()


def _a_call_that_comes_in(world: World) -> None:
    facts: dict[str, Any] = {
        "call_id": None,
        "carrier_call_id": "in-1",
        "direction": "inbound",
        "from_number": a_number(ANSWERS),
        "to_number": world.line.caller_ids[0],
    }
    ended: dict[str, Any] = {"outcome": "answered", "ended_reason": "contact_hangup", "duration_seconds": 20}
    reports = [
        Report(kind="ringing", event_id="in-1-r", occurred_at=world.now, **facts),
        Report(kind="answered", event_id="in-1-a", occurred_at=world.now, **facts),
        Report(kind="ended", event_id="in-1-e", occurred_at=world.now, **facts, **ended),
    ]
    carrier_reports.store("simulated", reports)
    carrier_reports.apply_stored(limit=10, now=world.now)


def _messages(world: World) -> None:
    number = a_number(ANSWERS)
    for body in ("We will call at five.", "Or at six."):
        world.say("messages/", {"contact": {"name": "Jane Roe", "phone": number}, "body": body})
    messages.send_due(limit=10, now=world.now)
    fates: tuple[Literal["delivered", "failed"], ...] = ("delivered", "failed")
    for message, fate in zip(Message.objects.order_by("id"), fates, strict=True):
        told = MessageReport(
            kind=fate,
            message_id=message.pk,
            carrier_message_id=message.carrier_message_id,
            occurred_at=world.now,
        )
        message_reports.apply("simulated", [told], now=world.now)
    written = MessageReport(
        kind="received",
        message_id=None,
        carrier_message_id="sms-1",
        occurred_at=world.now,
        from_number=number,
        to_number=world.line.caller_ids[0],
        body="At six, please.",
    )
    message_reports.apply("simulated", [written], now=world.now)


def _endpoints(world: World) -> None:
    first = Endpoint.objects.filter(workspace=world.workspace).order_by("id").first()
    assert first is not None
    world.say(f"webhooks/{first.public_id}/test/", {})
    make_endpoint(
        world.workspace,
        name="Gone",
        url="https://9.9.9.9/gone",
        failing_since=world.now - HOPELESS_AFTER,
        last_error_at=world.now,
        last_error="refused",
        failure_run=HOPELESS_FAILURES,
    )
    endpoint_health.disable_hopeless(now=world.now, limit=10)


def call_of(world: World, outcome: str) -> str:
    found: str = next(call["id"] for call in world.calls() if call["outcome"] == outcome)
    return found

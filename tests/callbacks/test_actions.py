"""The operator's five actions, and promises made by request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from callbacks import actions, scheduling, undoing
from callbacks.models import Callback
from callbacks.refusals import AlreadyPending, ContactSuppressed, InvalidTime, OutsideWindow
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force
from dialer.campaigns import lifecycle
from dialer.models import Call, CampaignContact
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_suppression,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all
from tests.webhooks.rows import make_endpoint
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

MINUTE = timedelta(minutes=1)
SARA = Actor(kind="user", id="7", label="Sara")


def a_retry(**schedule: object) -> Callback:
    """Make a pending retry: a first call that nobody answered, the next one an hour later."""
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 120], **schedule})
    make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    return Callback.objects.select_related("call").get(status="pending")


def types() -> list[str]:
    return list(Event.objects.order_by("sequence", "id").values_list("type", flat=True))


def test_call_now_makes_it_due_at_once_and_ahead_of_others(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    now = NOW + MINUTE

    actions.call_now(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=now)

    call = Call.objects.get(pk=callback.call_id)
    assert (call.due_at, call.rank) == (now, 0)
    assert dial(now)["placed"] == 1
    entry = AuditEntry.objects.get(verb="call_now")
    assert (entry.actor_label, entry.object_id) == ("Sara", str(callback.pk))


def test_call_now_outside_the_window_names_the_next_opening_unless_forced(carrier: InProcessCarrier) -> None:
    callback = a_retry(calling_hours={"start": "10:00", "end": "12:00"})
    evening = NOW + timedelta(hours=9)
    call_now = partial(actions.call_now, callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=evening)

    with pytest.raises(OutsideWindow) as refusal:
        call_now()
    assert refusal.value.next_opening == datetime(2025, 3, 13, 9, 0, tzinfo=UTC)

    force = Force(checks=frozenset({"outside_window"}), reason="The customer waits")
    call_now(force=force)
    assert dial(evening)["placed"] == 1
    callback.refresh_from_db()
    assert callback.explanation[-1]["code"] == "forced"


def test_reschedule_keeps_the_time_that_was_named(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    wanted = NOW + timedelta(hours=5)

    moved = actions.reschedule(
        callback.pk, workspace_id=callback.workspace_id, scheduled_at=wanted, actor=SARA, now=NOW + MINUTE
    )

    assert (moved.scheduled_at, moved.explanation[-1]["code"]) == (wanted, "rescheduled")
    assert Call.objects.get(pk=callback.call_id).due_at == wanted
    assert "callback.rescheduled" in types()


@pytest.mark.parametrize(("offset", "words"), [(timedelta(minutes=-5), "past"), (timedelta(days=31), "30 days")])
def test_a_time_that_cannot_be_promised_is_refused(carrier: InProcessCarrier, offset: timedelta, words: str) -> None:
    callback = a_retry()

    with pytest.raises(InvalidTime, match=words):
        actions.reschedule(
            callback.pk, workspace_id=callback.workspace_id, scheduled_at=NOW + offset, actor=SARA, now=NOW
        )


def test_skip_uses_the_retry_up_and_schedules_the_next(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    now = NOW + MINUTE

    skipped = actions.skip(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=now)

    after = Callback.objects.select_related("call").get(status="pending")
    assert skipped.status == "skipped"
    assert (after.number, after.limit) == (2, 2)
    assert after.scheduled_at == callback.scheduled_at + timedelta(minutes=120)
    assert (after.call.attempt_number, after.call.retries_used) == (2, 2)
    assert after.origin_call_id == callback.origin_call_id


def test_skip_of_the_last_retry_ends_the_chain_exhausted(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    skip = partial(actions.skip, workspace_id=callback.workspace_id, actor=SARA, now=NOW + MINUTE)
    skip(callback.pk)

    skip(Callback.objects.get(status="pending").pk)

    assert not Callback.objects.filter(status="pending").exists()
    assert CampaignContact.objects.get().state == "exhausted"
    assert types()[-1] == "call.exhausted"


def test_cancel_and_complete_end_the_chain(carrier: InProcessCarrier) -> None:
    for verb, status, state in ((actions.cancel, "cancelled", "cancelled"), (actions.complete, "completed", "reached")):
        callback = a_retry()
        done = verb(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=NOW + MINUTE)
        assert done.status == status
        assert CampaignContact.objects.get(campaign=callback.campaign).state == state
        assert Call.objects.get(pk=callback.call_id).status == "withdrawn"
    assert types().count("call.exhausted") == 2


@pytest.mark.parametrize("verb", ["call_now", "skip", "cancel", "complete", "reschedule"])
def test_every_action_leaves_who_from_which_state_and_why(carrier: InProcessCarrier, verb: str) -> None:
    callback = a_retry()
    fields = {"scheduled_at": NOW + timedelta(hours=5)} if verb == "reschedule" else {}

    act: Callable[..., Callback] = getattr(actions, verb)
    act(callback.pk, workspace_id=callback.workspace_id, actor=SARA, reason="She rang", now=NOW + MINUTE, **fields)

    entry = AuditEntry.objects.get(object_type="callback", object_id=str(callback.pk))
    assert (entry.verb, entry.actor_label, entry.reason) == (verb, "Sara", "She rang")
    assert entry.from_state["status"] == "pending"


def test_an_endpoint_of_the_campaign_hears_of_its_callbacks(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    about = {"events": ["callback.cancelled"], "scope_type": "campaign"}
    mine = make_endpoint(callback.contact.workspace, scope_id=callback.campaign_id, **about)
    make_endpoint(callback.contact.workspace, scope_id=uuid4(), **about)

    actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=NOW + MINUTE)

    assert Delivery.objects.get().endpoint == mine


@pytest.mark.parametrize("verb", [actions.call_now, actions.skip, actions.cancel, actions.complete])
def test_a_callback_that_is_being_dialled_refuses_every_action(carrier: InProcessCarrier, verb: object) -> None:
    callback = a_retry()
    dial(callback.scheduled_at)

    with pytest.raises(TransitionConflict) as conflict:
        verb(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=callback.scheduled_at)  # type: ignore[operator]
    assert conflict.value.from_ == "dialing"


def test_a_requested_callback_supersedes_a_pending_retry_and_takes_its_number(carrier: InProcessCarrier) -> None:
    retry = a_retry()
    wanted = NOW + timedelta(hours=3)

    made = scheduling.request(
        workspace_id=retry.workspace_id,
        contact_id=retry.contact_id,
        campaign_id=retry.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=wanted,
        notes="after lunch",
        actor=SARA,
        now=NOW + MINUTE,
    )

    retry.refresh_from_db()
    call = Call.objects.get(pk=made.callback.call_id)
    assert (retry.status, made.superseded_id, made.callback.scheduled_at) == ("superseded", retry.pk, wanted)
    assert (call.rank, call.attempt_number, call.retries_used) == (1, 2, 0)
    assert call.chain_id == retry.call.chain_id
    assert CampaignContact.objects.get().state == "callback_pending"


def test_a_manual_callback_names_the_pending_one_and_replaces_only_a_retry(carrier: InProcessCarrier) -> None:
    retry = a_retry()

    def manual(*, replace: bool) -> scheduling.Scheduled:
        return scheduling.request(
            workspace_id=retry.workspace_id,
            contact_id=retry.contact_id,
            campaign_id=retry.campaign_id,
            type=CallbackType.MANUAL,
            scheduled_at=NOW + timedelta(hours=2),
            replace=replace,
            actor=SARA,
            now=NOW + MINUTE,
        )

    with pytest.raises(AlreadyPending) as conflict:
        manual(replace=False)
    assert conflict.value.callback_id == retry.pk
    assert manual(replace=True).superseded_id == retry.pk
    with pytest.raises(AlreadyPending):
        manual(replace=True)


def test_a_requested_time_outside_the_window_moves_to_the_next_opening_and_says_so(carrier: InProcessCarrier) -> None:
    workspace = make_workspace()
    contact = make_contact(workspace)
    make_line(workspace)
    make_persona(workspace)

    made = scheduling.request(
        workspace_id=workspace.pk,
        contact_id=contact.pk,
        type=CallbackType.CUSTOMER_REQUESTED,
        local_time=datetime(2025, 3, 12, 22, 30),  # noqa: DTZ001 — on the contact's clock
        actor=SARA,
        now=NOW,
    )

    assert made.callback.scheduled_at == datetime(2025, 3, 13, 8, 0, tzinfo=UTC)
    assert made.adjusted_from == datetime(2025, 3, 12, 21, 30, tzinfo=UTC)
    assert (made.adjusted_reason, made.callback.local_time) == ("outside_window", "2025-03-12T22:30")
    assert [step["code"] for step in made.callback.explanation] == ["requested", "outside_window"]


def test_nothing_is_promised_to_a_suppressed_contact(carrier: InProcessCarrier) -> None:
    workspace = make_workspace()
    contact = make_contact(workspace)
    make_suppression(workspace, contact.phone)

    with pytest.raises(ContactSuppressed):
        scheduling.request(
            workspace_id=workspace.pk,
            contact_id=contact.pk,
            type=CallbackType.MANUAL,
            scheduled_at=NOW,
            actor=SARA,
            now=NOW,
        )
    assert not Callback.objects.exists()


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        ("2025-03-30T02:30", "2025-03-30T01:00:00+00:00"),  # skipped: 02:00 to 03:00 do not exist
        ("2025-10-26T02:30", "2025-10-26T00:30:00+00:00"),  # repeated: the first pass
        ("2025-07-01T12:00", "2025-07-01T10:00:00+00:00"),
    ],
)
def test_a_local_time_is_the_first_instant_at_which_the_clock_shows_it(local: str, instant: str) -> None:
    found = scheduling.instant_of(datetime.fromisoformat(local), "Europe/Berlin")

    assert found == datetime.fromisoformat(instant)


def test_a_promise_made_during_an_answered_call_keeps_the_chain_open(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    member = make_campaign_contact(campaign)
    dial(NOW)
    call = Call.objects.get()
    scheduling.request(
        workspace_id=campaign.workspace_id,
        contact_id=member.contact_id,
        campaign_id=campaign.pk,
        origin_call_id=call.pk,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + timedelta(hours=1),
        actor=SARA,
        now=NOW + timedelta(seconds=5),
    )

    end_all(NOW, "answered")

    member.refresh_from_db()
    assert member.state == "callback_pending"
    assert "call.exhausted" not in types()
    ended = Event.objects.get(type="call.ended")
    assert b'"callback"' in bytes(ended.body)


def test_a_callback_forced_past_a_pause_is_dialled_while_the_campaign_is_paused(carrier: InProcessCarrier) -> None:
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60]})
    for _ in range(2):
        make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer")
    lifecycle.pause(campaign.pk, workspace_id=campaign.workspace_id, actor=SARA, now=NOW)
    callback, other = Callback.objects.order_by("id")
    force = Force(checks=frozenset({"campaign_paused"}), reason="The customer waits")
    at = NOW + 120 * MINUTE

    actions.call_now(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=at, force=force)

    assert dial(at) == {"placed": 1, "held": 0, "dropped": 0, "not_ours": 0}
    callback.refresh_from_db()
    other.refresh_from_db()
    assert (callback.status, other.status) == ("dialing", "pending")
    assert dial(at + MINUTE)["placed"] == 0


def a_promise_beside_a_live_call() -> Callback:
    make_campaign_contact(make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": [60, 120]}))
    dial(NOW)
    call = Call.objects.get()
    return scheduling.request(
        workspace_id=call.workspace_id,
        contact_id=call.contact_id,
        campaign_id=call.campaign_id,
        type=CallbackType.MANUAL,
        scheduled_at=NOW + 60 * MINUTE,
        actor=SARA,
        now=NOW,
    ).callback


@pytest.mark.parametrize("verb", [actions.cancel, actions.complete])
def test_a_chain_that_was_ended_while_its_call_was_live_is_followed_by_no_retry(
    carrier: InProcessCarrier, verb: Callable[..., Callback]
) -> None:
    promise = a_promise_beside_a_live_call()

    verb(promise.pk, workspace_id=promise.workspace_id, actor=SARA, now=NOW)
    end_all(NOW, "no_answer")

    assert Callback.objects.filter(status="pending").count() == 0
    member = CampaignContact.objects.get()
    assert (member.state, member.end_reason) == ("exhausted", "settled")
    assert types()[-1] == "call.exhausted"


def test_what_is_taken_back_while_the_call_is_live_is_dialled_and_followed_by_retries_again(
    carrier: InProcessCarrier,
) -> None:
    promise = a_promise_beside_a_live_call()
    actions.cancel(promise.pk, workspace_id=promise.workspace_id, actor=SARA, now=NOW + timedelta(seconds=1))

    undoing.undo(promise.pk, workspace_id=promise.workspace_id, actor=SARA, now=NOW + MINUTE)
    end_all(NOW + MINUTE, "no_answer")

    assert dial(promise.scheduled_at)["placed"] == 1
    end_all(promise.scheduled_at, "no_answer")
    assert Callback.objects.get(status="pending").number == 1

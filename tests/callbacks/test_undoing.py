"""Taking back a cancel, a skip or a completion while nothing took the callback's place."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from callbacks import actions, scheduling, undoing
from callbacks.models import Callback
from callbacks.refusals import AlreadyPending, CampaignOver, ContactSuppressed, NotUndoable
from callbacks.rules.statuses import CallbackType
from dialer.campaigns import lifecycle
from dialer.contacts import contacts, suppressions
from dialer.dialing import placing
from dialer.models import Call, Campaign, CampaignContact
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.factories import NOW, ROUND_THE_CLOCK, make_call, make_campaign, make_campaign_contact
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, claim, dial, end_all
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

MINUTE = timedelta(minutes=1)
SARA = Actor(kind="user", id="7", label="Sara")
Verb = Callable[..., Callback]


def a_retry(*delays: int) -> Callback:
    """Make a pending retry: a first call that nobody answered."""
    campaign = make_campaign(schedule={**ROUND_THE_CLOCK, "callback_retry_schedule": list(delays or (60, 120))})
    make_campaign_contact(campaign)
    dial(NOW)
    end_all(NOW, "no_answer", lasted=timedelta())
    return Callback.objects.select_related("call").get(status="pending")


def do(verb: Verb, callback: Callback, *, after: timedelta = MINUTE, reason: str = "") -> Callback:
    return verb(callback.pk, workspace_id=callback.workspace_id, actor=SARA, now=NOW + after, reason=reason)


undo = partial(do, undoing.undo, after=2 * MINUTE)


def member() -> CampaignContact:
    return CampaignContact.objects.get()


def types() -> list[str]:
    return list(Event.objects.order_by("sequence", "id").values_list("type", flat=True))


@pytest.mark.parametrize("verb", [actions.cancel, actions.complete])
def test_what_was_cancelled_or_completed_is_dialled_at_its_time_after_all(
    carrier: InProcessCarrier, verb: Verb
) -> None:
    callback = a_retry()
    do(verb, callback)
    carrier.placed.clear()

    restored = undo(callback, reason="wrong row")

    assert (restored.status, restored.scheduled_at, restored.completed_by) == ("pending", callback.scheduled_at, "")
    assert restored.explanation[-1]["code"] == "undone"
    assert (member().state, member().end_reason, member().ended_at) == ("callback_pending", "", None)
    assert dial(callback.scheduled_at)["placed"] == 1
    assert [request.call_id for request in carrier.placed] == [callback.call_id]


def test_what_was_held_before_is_due_at_its_time_again_and_held_anew(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    closed = {"calling_hours": {"start": "03:00", "end": "03:10"}}
    Campaign.objects.update(schedule={**ROUND_THE_CLOCK, **closed})
    dial(callback.scheduled_at)
    assert Call.objects.get(pk=callback.call_id).held_reason == "outside_window"
    do(actions.complete, callback, after=timedelta(hours=2))

    undo(callback, after=timedelta(hours=2) + MINUTE)

    call = Call.objects.get(pk=callback.call_id)
    assert (call.due_at, call.held_reason) == (callback.scheduled_at, "")
    dial(NOW + timedelta(hours=3))
    call.refresh_from_db()
    assert call.held_reason == "outside_window"
    assert call.due_at > NOW + timedelta(hours=3)


def test_an_undo_leaves_who_when_from_to_and_why(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)

    undo(callback, reason="wrong row")

    entry = AuditEntry.objects.get(verb="undo")
    assert (entry.actor_label, entry.object_id, entry.reason) == ("Sara", str(callback.pk), "wrong row")
    assert (entry.from_state, entry.to_state["status"]) == ({"status": "cancelled"}, "pending")


def test_others_are_told_that_the_callback_is_scheduled_again_and_the_end_of_the_chain_only_once(
    carrier: InProcessCarrier,
) -> None:
    callback = a_retry(60)
    do(actions.cancel, callback)
    undo(callback)
    dial(callback.scheduled_at)
    end_all(callback.scheduled_at, "no_answer")

    told = types()

    assert told[told.index("callback.cancelled") :] == [
        "callback.cancelled",
        "call.exhausted",
        "callback.scheduled",
        "call.attempted",
        "call.ended",
    ]
    assert member().state == "exhausted"


def test_an_undone_skip_takes_back_the_retry_that_followed_and_what_it_used_up(carrier: InProcessCarrier) -> None:
    callback = a_retry(60, 120)
    do(actions.skip, callback)
    follower = Callback.objects.get(status="pending")

    undo(callback)

    follower.refresh_from_db()
    assert follower.status == "superseded"
    assert list(Callback.objects.filter(status="pending")) == [callback]
    dial(callback.scheduled_at)
    end_all(callback.scheduled_at, "no_answer")
    again = Callback.objects.select_related("call").get(status="pending")
    assert (again.number, again.call.attempt_number, again.call.retries_used) == (2, 3, 2)


def test_a_skip_is_not_taken_back_before_the_later_skip_of_the_retry_that_followed(carrier: InProcessCarrier) -> None:
    callback = a_retry(60, 120)
    do(actions.skip, callback)
    follower = Callback.objects.get(status="pending")
    do(actions.skip, follower)

    with pytest.raises(NotUndoable) as refused:
        undo(callback)

    assert refused.value.why == "skipped_again"
    assert undo(follower).status == "pending"
    assert undo(callback).status == "pending"


def test_an_undone_skip_of_the_last_retry_opens_the_chain_again(carrier: InProcessCarrier) -> None:
    callback = a_retry(60)
    do(actions.skip, callback)
    assert member().state == "exhausted"

    undo(callback)

    assert member().state == "callback_pending"
    assert dial(callback.scheduled_at)["placed"] == 1


def test_a_message_that_was_under_way_when_it_was_cancelled_dials_nothing_after_the_undo(
    carrier: InProcessCarrier,
) -> None:
    callback = a_retry()
    claims = claim(callback.scheduled_at)
    do(actions.cancel, callback)
    undo(callback)
    carrier.placed.clear()

    assert placing.place(claims, now=callback.scheduled_at)["not_ours"] == 1
    assert dial(callback.scheduled_at)["placed"] == 1
    assert len(carrier.placed) == 1


def test_what_is_past_its_time_when_it_is_taken_back_is_due_at_once(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)
    later = timedelta(hours=5)

    do(undoing.undo, callback, after=later)

    assert dial(NOW + later)["placed"] == 1


def test_nothing_is_taken_back_after_the_contact_was_called(carrier: InProcessCarrier) -> None:
    callback = a_retry(60, 120)
    do(actions.skip, callback)
    follower = Callback.objects.get(status="pending")
    dial(follower.scheduled_at)

    with pytest.raises(NotUndoable) as refused:
        do(undoing.undo, callback, after=timedelta(days=1))

    assert refused.value.why == "contact_called"
    callback.refresh_from_db()
    assert callback.status == "skipped"


def test_a_retry_is_not_taken_back_for_a_contact_who_was_reached_since(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)
    make_call(
        callback.contact,
        direction="inbound",
        status="ended",
        outcome="answered",
        ended_at=NOW + MINUTE,
        dialing_at=None,
    )

    with pytest.raises(NotUndoable) as refused:
        undo(callback)

    assert refused.value.why == "contact_answered"


def test_an_undone_skip_leaves_what_was_promised_meanwhile(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.skip, callback)
    promise = scheduling.request(
        workspace_id=callback.workspace_id,
        contact_id=callback.contact_id,
        campaign_id=callback.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=NOW + timedelta(hours=2),
        actor=SARA,
        now=NOW + MINUTE,
    ).callback

    with pytest.raises(AlreadyPending):
        undo(callback)

    promise.refresh_from_db()
    assert promise.status == "pending"


def test_nothing_is_taken_back_where_something_else_is_promised(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)
    other = scheduling.request(
        workspace_id=callback.workspace_id,
        contact_id=callback.contact_id,
        campaign_id=callback.campaign_id,
        type=CallbackType.MANUAL,
        scheduled_at=NOW + timedelta(hours=2),
        actor=SARA,
        now=NOW + MINUTE,
    )

    with pytest.raises(AlreadyPending) as refused:
        undo(callback)

    assert refused.value.callback_id == other.callback.pk


def test_nothing_is_taken_back_in_a_campaign_that_is_over(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)
    assert callback.campaign_id
    lifecycle.cancel(callback.campaign_id, workspace_id=callback.workspace_id, actor=SARA, now=NOW + MINUTE)

    with pytest.raises(CampaignOver):
        undo(callback)


def test_nothing_is_taken_back_for_a_number_that_is_suppressed(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)
    suppressions.add(callback.workspace_id, [callback.contact.phone], reason="manual", actor=SARA, now=NOW + MINUTE)

    with pytest.raises(ContactSuppressed):
        undo(callback)


def test_lifting_a_suppression_does_not_let_anybody_undo_what_it_cancelled(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    added = suppressions.add(
        callback.workspace_id, [callback.contact.phone], reason="manual", actor=SARA, now=NOW + MINUTE
    )
    suppressions.remove(added.added[0], actor=SARA, reason="mistake", now=NOW + MINUTE)

    with pytest.raises(NotUndoable) as refused:
        undo(callback)

    assert refused.value.why == "not_by_hand"


def test_nothing_is_taken_back_for_a_contact_that_was_deleted(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.cancel, callback)
    contacts.delete(callback.contact_id, workspace_id=callback.workspace_id, actor=SARA, now=NOW + MINUTE)

    with pytest.raises(NotUndoable) as refused:
        undo(callback)

    assert refused.value.why == "contact_deleted"


def test_a_callback_that_nobody_ended_has_nothing_to_be_taken_back(carrier: InProcessCarrier) -> None:
    callback = a_retry()

    with pytest.raises(TransitionConflict) as refused:
        undo(callback)
    assert refused.value.from_ == "pending"

    do(actions.cancel, callback)
    undo(callback)
    with pytest.raises(TransitionConflict):
        undo(callback)
    assert Call.objects.filter(status="queued").count() == 1


def test_what_the_contacts_own_call_completed_can_be_taken_back_for_a_day(carrier: InProcessCarrier) -> None:
    callback = a_retry()
    do(actions.complete, callback)
    Callback.objects.filter(pk=callback.pk).update(completed_by="inbound_call")

    with pytest.raises(NotUndoable) as refused:
        do(undoing.undo, callback, after=timedelta(hours=24, minutes=2))
    assert refused.value.why == "too_late"
    assert do(undoing.undo, callback, after=timedelta(hours=24)).status == "pending"


def test_a_promise_for_a_local_time_follows_a_clock_that_changed_while_it_was_cancelled(
    carrier: InProcessCarrier,
) -> None:
    retry = a_retry()
    promise = scheduling.request(
        workspace_id=retry.workspace_id,
        contact_id=retry.contact_id,
        campaign_id=retry.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        local_time=datetime(2025, 3, 12, 18, 0),  # noqa: DTZ001 — on the contact's clock
        actor=SARA,
        now=NOW,
    ).callback
    do(actions.cancel, promise)
    contacts.edit(
        promise.contact_id,
        workspace_id=promise.workspace_id,
        time_zone="America/New_York",
        actor=SARA,
        now=NOW + MINUTE,
    )

    restored = undo(promise)

    assert (restored.time_zone, restored.local_time) == ("America/New_York", "2025-03-12T18:00")
    assert restored.scheduled_at == restored.call.due_at == datetime(2025, 3, 12, 22, 0, tzinfo=UTC)

"""Races that could call somebody twice, or at all when nobody may: one forced interleaving each, judged by a ledger.

A race says what harm was done, in words, or nothing. It says of each thread whether it must be held back by another or
get through, so that a round in which that did not happen fails instead of proving nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any, Protocol

from django.db import IntegrityError

from callbacks import actions
from callbacks.models import Callback
from dialer.calls import call_states
from dialer.campaigns import lifecycle
from dialer.contacts import suppressions
from dialer.dialing import carrier_reports, placing
from dialer.dialing.placing import Claim
from dialer.models import Call, Campaign, CampaignContact
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.transitions import TransitionConflict
from tests.concurrency.interleaving import Racer, Stop, Threads
from tests.concurrency.members import a_member
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact
from tests.in_process_carrier import ended
from tests.pipeline import claim, end_all

LATER = NOW + timedelta(minutes=10)
"""When the lease of a claim made now has run out."""
SCHEDULE = {**ROUND_THE_CLOCK, "callback_retry_schedule": [60]}


class Ledger(Protocol):
    """How often a carrier was asked for a call in this round."""

    def begin_round(self) -> None: ...

    def asked(self) -> int: ...


Race = Callable[[Ledger, Threads], str]


def begin(ledger: Ledger, run: Threads) -> None:
    """Begin a round: an empty ledger, and nothing left of the round before."""
    ledger.begin_round()
    run.begin_round()
    Campaign.objects.exclude(status="completed").update(status="completed")
    Callback.objects.filter(status="pending").update(status="cancelled")
    Call.objects.filter(status="queued").update(status="withdrawn", lease_until=None)


def waiting_contact(ledger: Ledger, run: Threads, **fields: Any) -> CampaignContact:
    """Begin a round with one contact that is due."""
    begin(ledger, run)
    return a_member(make_campaign(schedule=SCHEDULE, **fields))


def queued_call(ledger: Ledger, run: Threads) -> Call:
    """Begin a round with a call that was queued, claimed and given back: the claim finds a row, not a contact."""
    waiting_contact(ledger, run)
    claim(NOW)
    call = Call.objects.get(status="queued")
    Call.objects.filter(pk=call.pk).update(lease_until=None, generation=0)
    call.refresh_from_db()
    return call


def pending_retry(ledger: Ledger, run: Threads, **fields: Any) -> Callback:
    """Begin a round with a retry: its contact was called once and did not answer, which the ledger has forgotten."""
    member = waiting_contact(ledger, run, **fields)
    placing.place(claim(NOW), now=NOW)
    end_all(NOW, "no_answer")
    ledger.begin_round()
    retry: Callback = Callback.objects.get(contact=member.contact)
    return retry


def place(claims: Sequence[Claim], *, now: datetime) -> Callable[[], dict[str, int]]:
    return lambda: placing.place(claims, now=now)


def harm_unless(times: int, ledger: Ledger, *, why: str = "") -> str:
    asked = ledger.asked()
    return "" if asked == times else f"the carrier was asked {asked} times, not {times}{why}"


def two_dispatchers(ledger: Ledger, run: Threads) -> str:
    """Two dispatchers claim one call."""
    queued_call(ledger, run)
    stop = Stop(before="lease_calls")
    first = run.start(lambda: claim(NOW), stop, name="first dispatcher")
    stop.wait()
    second = run.start(lambda: claim(NOW), name="second dispatcher")
    run.gets_through(second)
    stop.go_on.set()
    claims = [first.result(), second.result()]
    for number, mine in enumerate(claims, start=1):
        run.start(place(mine, now=NOW), name=f"worker {number}").result()
    claimed = sum(map(len, claims))
    return harm_unless(1, ledger) or ("" if claimed == 1 else f"the call was claimed {claimed} times")


def a_repeated_message(ledger: Ledger, run: Threads) -> str:
    """Two workers have the message of one claim."""
    queued_call(ledger, run)
    claims = run.start(lambda: claim(NOW), name="dispatcher").result()
    stop = Stop(before="take_to_dialing")
    first = run.start(place(claims, now=NOW), stop, name="first worker")
    stop.wait()
    second = run.start(place(claims, now=NOW), name="second worker")
    run.held_back(second, by=first)
    stop.go_on.set()
    first.result()
    second.result()
    return harm_unless(1, ledger)


def a_stale_worker(ledger: Ledger, run: Threads) -> str:
    """A worker comes with its message when the lease has run out, and another one has dialled."""
    queued_call(ledger, run)
    old = run.start(lambda: claim(NOW), name="dispatcher").result()
    stop = Stop(before="numbers_of_calls")
    stale = run.start(place(old, now=LATER), stop, name="stale worker")
    stop.wait()
    run.start(lambda: call_states.release_expired(limit=10, now=LATER), name="sweep").result()
    new = run.start(lambda: claim(LATER), name="second dispatcher").result()
    quick = run.start(place(new, now=LATER), name="quick worker")
    run.gets_through(quick)
    quick.result()
    if ledger.asked() != 1:
        run.fail("the quick worker did not dial")
    stop.go_on.set()
    stale.result()
    return harm_unless(1, ledger)


def a_message_after_its_lease(ledger: Ledger, run: Threads) -> str:
    """A worker comes with its message when the lease has run out, and the sweep has not been there yet."""
    queued_call(ledger, run)
    old = run.start(lambda: claim(NOW), name="dispatcher").result()
    run.start(place(old, now=LATER), name="late worker").result()
    return harm_unless(0, ledger, why=": its slot was another's by then")


def pause_before_claim(ledger: Ledger, run: Threads) -> str:
    """A campaign is paused while a dispatcher claims of it."""
    call = queued_call(ledger, run)
    stop = Stop(before="lease_calls")
    claiming = run.start(lambda: claim(NOW), stop, name="dispatcher")
    stop.wait()
    pausing = run.start(lambda: _pause(call), name="operator")
    run.gets_through(pausing)
    stop.go_on.set()
    claims = claiming.result()
    pausing.result()
    run.start(place(claims, now=NOW), name="worker").result()
    return harm_unless(0, ledger, why=": the campaign is paused")


def pause_before_place(ledger: Ledger, run: Threads) -> str:
    """A campaign is paused when a message is under way."""
    call = queued_call(ledger, run)
    claims = run.start(lambda: claim(NOW), name="dispatcher").result()
    stop = Stop(before="numbers_of_calls")
    placed = run.start(place(claims, now=NOW), stop, name="worker")
    stop.wait()
    pausing = run.start(lambda: _pause(call), name="operator")
    run.gets_through(pausing)
    pausing.result()
    stop.go_on.set()
    placed.result()
    return harm_unless(0, ledger, why=": the campaign is paused")


def pause_under_place(ledger: Ledger, run: Threads) -> str:
    """A campaign is paused while a worker is about to dial."""
    call = queued_call(ledger, run)
    claims = run.start(lambda: claim(NOW), name="dispatcher").result()
    stop = Stop(before="take_to_dialing")
    placed = run.start(place(claims, now=NOW), stop, name="worker")
    stop.wait()
    pausing = run.start(lambda: _pause(call), name="operator")
    run.held_back(pausing, by=placed)
    was_answered = pausing.is_done
    stop.go_on.set()
    placed.result()
    pausing.result()
    return harm_unless(0 if was_answered else 1, ledger, why=": the operator was told before" if was_answered else "")


def _pause(call: Call) -> None:
    assert call.campaign_id is not None
    lifecycle.pause(call.campaign_id, workspace_id=call.workspace_id, actor=SYSTEM, now=NOW)


def suppression_before_place(ledger: Ledger, run: Threads) -> str:
    """A number is suppressed when a message is under way."""
    call = queued_call(ledger, run)
    claims = run.start(lambda: claim(NOW), name="dispatcher").result()
    stop = Stop(before="numbers_of_calls")
    placed = run.start(place(claims, now=NOW), stop, name="worker")
    stop.wait()
    suppressing = run.start(lambda: _suppress(call), name="operator")
    run.gets_through(suppressing)
    suppressing.result()
    stop.go_on.set()
    placed.result()
    return harm_unless(0, ledger, why=": the number is suppressed")


def suppression_under_place(ledger: Ledger, run: Threads) -> str:
    """A number is suppressed while a worker is about to dial it."""
    call = queued_call(ledger, run)
    claims = run.start(lambda: claim(NOW), name="dispatcher").result()
    stop = Stop(before="take_to_dialing")
    placed = run.start(place(claims, now=NOW), stop, name="worker")
    stop.wait()
    suppressing = run.start(lambda: _suppress(call), name="operator")
    run.held_back(suppressing, by=placed)
    was_answered = suppressing.is_done
    stop.go_on.set()
    placed.result()
    suppressing.result()
    return harm_unless(0 if was_answered else 1, ledger, why=": the operator was told before" if was_answered else "")


def _suppress(call: Call) -> None:
    suppressions.add(call.workspace_id, [call.number], reason="manual", actor=SYSTEM, now=NOW)


def cancel_before_place(ledger: Ledger, run: Threads) -> str:
    """An operator cancels a retry when its message is under way."""
    return _cancel(ledger, run, meets="numbers_of_calls")


def cancel_under_place(ledger: Ledger, run: Threads) -> str:
    """An operator cancels a retry while a worker is about to dial."""
    return _cancel(ledger, run, meets="take_to_dialing")


def cancel_against_place(ledger: Ledger, run: Threads) -> str:
    """An operator's cancel meets a worker, before its locks and under them by turns."""
    return next(_cancels)(ledger, run)


_cancels = cycle([cancel_under_place, cancel_before_place])


def _cancel(ledger: Ledger, run: Threads, *, meets: str) -> str:
    callback = pending_retry(ledger, run)
    due = callback.scheduled_at
    claims = run.start(lambda: claim(due), name="dispatcher").result()
    stop = Stop(before=meets)
    placed = run.start(place(claims, now=due), stop, name="worker")
    stop.wait()

    def cancel() -> bool:
        try:
            actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=due)
        except TransitionConflict:
            return False
        return True

    cancelling = run.start(cancel, name="operator")
    if meets == "take_to_dialing":
        run.held_back(cancelling, by=placed)
    else:
        run.gets_through(cancelling)
    stop.go_on.set()
    placed.result()
    was_cancelled = cancelling.result()
    return harm_unless(0 if was_cancelled else 1, ledger, why=": it was cancelled" if was_cancelled else "")


def two_calls_to_one_number(ledger: Ledger, run: Threads) -> str:
    """Two campaigns want one contact at once."""
    _claimed_in_two_campaigns(ledger, run)
    one, other = _claims_one_by_one(run)
    stop = Stop(before="take_to_dialing")
    first = run.start(place(one, now=NOW), stop, name="first worker")
    stop.wait()
    second = run.start(place(other, now=NOW), name="second worker")
    run.held_back(second, by=first)
    stop.go_on.set()
    _until_done(first)
    _until_done(second)
    return harm_unless(1, ledger, why=": the phone rings")


def a_limit_of_one_call(ledger: Ledger, run: Threads) -> str:
    """Two campaigns want one contact who may be called once a day, and the one call is over before the other begins."""
    _claimed_in_two_campaigns(ledger, run, contact_limits=[{"max": 1, "period_hours": 24, "scope": "number"}])
    one, other = _claims_one_by_one(run)
    stop = Stop(before="take_to_dialing")
    first = run.start(place(one, now=NOW), stop, name="first worker")
    stop.wait()

    def call_and_end() -> None:
        if placing.place(other, now=NOW)["placed"]:
            carrier_reports.store("simulated", [ended(other[0].call_id, NOW, "no_answer")])
            carrier_reports.apply_stored(limit=10, now=NOW)

    second = run.start(call_and_end, name="second worker")
    run.held_back(second, by=first)
    stop.go_on.set()
    _until_done(first)
    _until_done(second)
    return harm_unless(1, ledger, why=": the limit is one")


def _claimed_in_two_campaigns(ledger: Ledger, run: Threads, **settings: Any) -> None:
    member = waiting_contact(ledger, run)
    workspace = member.workspace
    for name, value in settings.items():
        setattr(workspace, name, value)
    workspace.save()
    make_campaign_contact(make_campaign(workspace, schedule=SCHEDULE), member.contact)


def _claims_one_by_one(run: Threads) -> tuple[list[Claim], list[Claim]]:
    claims = run.start(lambda: claim(NOW), name="dispatcher").result()
    assert len(claims) == 2, claims
    return claims[:1], claims[1:]


def _until_done(racer: Racer) -> None:
    """Wait for the end of a thread that the database may refuse."""
    try:
        racer.result()
    except IntegrityError:
        return

"""Races of what makes a pending retry needless, a promise, an answer or the contact's own call, against its claim."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from callbacks import scheduling
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from dialer.carriers.base import Report
from dialer.dialing import carrier_reports
from dialer.workspaces.audit import SYSTEM
from tests.concurrency.interleaving import Stop, Threads
from tests.concurrency.races import SCHEDULE, Ledger, begin, harm_unless, pending_retry, place
from tests.factories import NOW, make_call, make_contact, make_workspace
from tests.in_process_carrier import ended
from tests.pipeline import claim, end_all
from tests.world import RINGS_OUT, a_number

PROMISED_IN = timedelta(hours=3)

_rings = count(1)


def promise_against_claim(ledger: Ledger, run: Threads) -> str:
    """A contact is promised a call while a dispatcher claims their retry."""
    retry = pending_retry(ledger, run)
    due = retry.scheduled_at
    stop = Stop(before="lease_calls")
    claiming = run.start(lambda: claim(due), stop, name="dispatcher")
    stop.wait()
    promising = run.start(lambda: _promise(retry, now=due), name="promiser")
    run.held_back(promising, by=claiming)
    stop.go_on.set()
    claims = claiming.result()
    promising.result()
    run.start(place(claims, now=due), name="worker").result()
    return harm_unless(0, ledger, why=": the promise took the retry's place") or _kept_once(ledger, run, due)


def promise_before_place(ledger: Ledger, run: Threads) -> str:
    """A contact is being promised a call when the message of their retry comes."""
    retry = pending_retry(ledger, run)
    due = retry.scheduled_at
    claims = run.start(lambda: claim(due), name="dispatcher").result()
    stop = Stop(before="queue_calls")
    promising = run.start(lambda: _promise(retry, now=due), stop, name="promiser")
    stop.wait()
    placed = run.start(place(claims, now=due), name="worker")
    run.held_back(placed, by=promising)
    stop.go_on.set()
    promising.result()
    placed.result()
    return harm_unless(0, ledger, why=": the promise took the retry's place") or _kept_once(ledger, run, due)


def promise_under_place(ledger: Ledger, run: Threads) -> str:
    """A contact is promised a call while a worker is about to dial their retry: both are made, and nothing besides."""
    retry = pending_retry(ledger, run)
    due = retry.scheduled_at
    claims = run.start(lambda: claim(due), name="dispatcher").result()
    stop = Stop(before="take_to_dialing")
    placed = run.start(place(claims, now=due), stop, name="worker")
    stop.wait()
    promising = run.start(lambda: _promise(retry, now=due), name="promiser")
    run.held_back(promising, by=placed)
    was_answered = promising.is_done
    stop.go_on.set()
    placed.result()
    promising.result()
    if was_answered and ledger.asked():
        return "the retry was dialled after it was said that the promise took its place"
    end_all(due, "no_answer")
    return _kept_once(ledger, run, due)


def _promise(retry: Callback, *, now: datetime) -> None:
    scheduling.request(
        workspace_id=retry.workspace_id,
        contact_id=retry.contact_id,
        campaign_id=retry.campaign_id,
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=now + PROMISED_IN,
        actor=SYSTEM,
        now=now,
    )


def _kept_once(ledger: Ledger, run: Threads, now: datetime) -> str:
    """Let time go by until the promise is due, a retry's delay and more: it is called once."""
    before = ledger.asked()
    at = now + PROMISED_IN
    claims = run.start(lambda: claim(at), name="dispatcher at the promised time").result()
    run.start(place(claims, now=at), name="worker at the promised time").result()
    asked = ledger.asked() - before
    return "" if asked == 1 else f"the promise was called {asked} times"


def talk_against_claim(ledger: Ledger, run: Threads) -> str:
    """A contact's own call to us ends while a dispatcher claims their retry."""
    retry = pending_retry(ledger, run)
    due = retry.scheduled_at
    _tell_talk(retry, due)
    stop = Stop(before="lease_calls")
    claiming = run.start(lambda: claim(due), stop, name="dispatcher")
    stop.wait()
    talking = run.start(lambda: _apply_talk(due), name="reports")
    run.held_back(talking, by=claiming)
    stop.go_on.set()
    claims = claiming.result()
    talking.result()
    run.start(place(claims, now=due), name="worker").result()
    return harm_unless(0, ledger, why=": they have talked to us") or _is_told(retry, "completed")


def talk_before_place(ledger: Ledger, run: Threads) -> str:
    """A contact's own call to us ends when the message of their retry is under way."""
    retry = pending_retry(ledger, run)
    due = retry.scheduled_at
    claims = run.start(lambda: claim(due), name="dispatcher").result()
    _tell_talk(retry, due)
    stop = Stop(before="numbers_of_calls")
    placed = run.start(place(claims, now=due), stop, name="worker")
    stop.wait()
    talking = run.start(lambda: _apply_talk(due), name="reports")
    run.gets_through(talking)
    talking.result()
    stop.go_on.set()
    placed.result()
    return harm_unless(0, ledger, why=": they have talked to us") or _is_told(retry, "completed")


def talk_under_place(ledger: Ledger, run: Threads) -> str:
    """A contact's own call to us ends while a worker is about to dial their retry: it is dialled, and not completed."""
    retry = pending_retry(ledger, run)
    due = retry.scheduled_at
    claims = run.start(lambda: claim(due), name="dispatcher").result()
    _tell_talk(retry, due)
    stop = Stop(before="take_to_dialing")
    placed = run.start(place(claims, now=due), stop, name="worker")
    stop.wait()
    talking = run.start(lambda: _apply_talk(due), name="reports")
    run.held_back(talking, by=placed)
    stop.go_on.set()
    placed.result()
    talking.result()
    retry.refresh_from_db()
    told = Callback.objects.get(pk=retry.pk).status
    return harm_unless(0 if told == "completed" else 1, ledger, why=f": the callback is {told}")


def answer_against_claim(ledger: Ledger, run: Threads) -> str:
    """A contact answers another call of ours while a dispatcher claims their retry, both outside campaigns."""
    retry = _retry_beside_a_talk(ledger, run)
    due = retry.scheduled_at
    stop = Stop(before="lease_calls")
    claiming = run.start(lambda: claim(due), stop, name="dispatcher")
    stop.wait()
    answered = run.start(lambda: _apply_talk(due), name="reports")
    run.held_back(answered, by=claiming)
    stop.go_on.set()
    claims = claiming.result()
    answered.result()
    run.start(place(claims, now=due), name="worker").result()
    return harm_unless(0, ledger, why=": they were reached") or _is_told(retry, "cancelled")


def answer_before_place(ledger: Ledger, run: Threads) -> str:
    """A contact answers another call of ours when the message of their retry is under way."""
    retry = _retry_beside_a_talk(ledger, run)
    due = retry.scheduled_at
    claims = run.start(lambda: claim(due), name="dispatcher").result()
    stop = Stop(before="numbers_of_calls")
    placed = run.start(place(claims, now=due), stop, name="worker")
    stop.wait()
    answered = run.start(lambda: _apply_talk(due), name="reports")
    run.gets_through(answered)
    answered.result()
    stop.go_on.set()
    placed.result()
    return harm_unless(0, ledger, why=": they were reached") or _is_told(retry, "cancelled")


def _retry_beside_a_talk(ledger: Ledger, run: Threads) -> Callback:
    """Begin a round with a retry, and with another call to the same contact of whose end the carrier has told."""
    begin(ledger, run)
    contact = make_contact(make_workspace(schedule=SCHEDULE), phone=a_number(RINGS_OUT))
    make_call(contact, status="dialing")
    end_all(NOW, "no_answer")
    retry = Callback.objects.get(contact=contact)
    talk = make_call(contact, status="in_progress", dialing_at=NOW, answered_at=NOW)
    carrier_reports.store("simulated", [ended(talk.pk, retry.scheduled_at, "answered")])
    return retry


def _tell_talk(retry: Callback, at: datetime) -> None:
    """Let the carrier tell of a talk of a minute in which the contact called us."""
    ring = f"in-{next(_rings)}"
    said: dict[str, Any] = {
        "call_id": None,
        "carrier_call_id": ring,
        "direction": "inbound",
        "from_number": retry.contact.phone,
        "to_number": retry.call.line.caller_ids[0],
    }
    began = at - timedelta(minutes=2)
    carrier_reports.store(
        "simulated",
        [
            Report(kind="ringing", event_id=f"{ring}-1", occurred_at=began, **said),
            Report(kind="answered", event_id=f"{ring}-2", occurred_at=began, **said),
            Report(
                kind="ended",
                event_id=f"{ring}-3",
                occurred_at=at,
                outcome="answered",
                ended_reason="contact_hangup",
                duration_seconds=60,
                **said,
            ),
        ],
    )


def _apply_talk(at: datetime) -> int:
    return carrier_reports.apply_stored(limit=10, now=at)


def _is_told(retry: Callback, status: str) -> str:
    found = Callback.objects.get(pk=retry.pk).status
    return "" if found == status else f"the callback is {found}, not {status}"

"""Races of a campaign's end against whoever adds to it, and of two workers at one job.

Rows, events and the ledger judge.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from callbacks import bulk, scheduling
from callbacks.bulk import Order
from callbacks.models import BulkAction, Callback
from callbacks.refusals import CampaignOver
from callbacks.rules.statuses import CallbackType
from dialer.campaigns import completion as campaign_completion
from dialer.campaigns import imports, membership
from dialer.models import CampaignContact, Import
from dialer.rules.statuses import OPEN_STATES
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.models import AuditEntry
from dialer.workspaces.transitions import TransitionConflict
from tests.concurrency.interleaving import Racer, Stop, Threads
from tests.concurrency.members import a_member
from tests.concurrency.races import SCHEDULE, Ledger, begin, harm_unless, place
from tests.factories import NOW, make_campaign, make_contact
from tests.pipeline import claim, dial, end_all
from tests.world import RINGS_OUT, a_number
from webhooks.models import Event

SOON = NOW + timedelta(minutes=2)
COMPLETES = 'UPDATE "dialer_campaign" SET "status"'
"""The statement of the sweep that comes after its look at the contacts."""
ROWS = 4


def contact_added_under_completion(ledger: Ledger, run: Threads) -> str:
    """A contact is added while the sweep completes the campaign."""
    member = _reached(ledger, run)
    stop = Stop(before=COMPLETES)
    sweep = run.start(_complete, stop, name="sweep")
    stop.wait()
    adding = run.start(_adds_to(member), name="adder")
    run.held_back(adding, by=sweep)
    stop.go_on.set()
    sweep.result()
    return _harm_to(member, refused=_is_refused(adding))


def completion_under_addition(ledger: Ledger, run: Threads) -> str:
    """The sweep would complete a campaign while a contact is being added."""
    member = _reached(ledger, run)
    stop = Stop(before="add_campaign_contacts")
    adding = run.start(_adds_to(member), stop, name="adder")
    stop.wait()
    sweep = run.start(_complete, name="sweep")
    run.gets_through(sweep)
    stop.go_on.set()
    refused = _is_refused(adding)
    sweep.result()
    return _harm_to(member, refused=refused)


def promise_under_completion(ledger: Ledger, run: Threads) -> str:
    """A contact is promised a call while the sweep completes the campaign."""
    member = _reached(ledger, run)
    stop = Stop(before=COMPLETES)
    sweep = run.start(_complete, stop, name="sweep")
    stop.wait()
    promising = run.start(_promises(member), name="promiser")
    run.held_back(promising, by=sweep)
    stop.go_on.set()
    sweep.result()
    return _harm_to(member, refused=_is_refused(promising))


def completion_under_promise(ledger: Ledger, run: Threads) -> str:
    """The sweep would complete a campaign while a contact is being promised a call."""
    member = _reached(ledger, run)
    stop = Stop(before="queue_calls")
    promising = run.start(_promises(member), stop, name="promiser")
    stop.wait()
    sweep = run.start(_complete, name="sweep")
    run.gets_through(sweep)
    stop.go_on.set()
    refused = _is_refused(promising)
    sweep.result()
    return _harm_to(member, refused=refused)


def _reached(ledger: Ledger, run: Threads) -> CampaignContact:
    """Begin a round with a campaign whose only contact was called and reached."""
    begin(ledger, run)
    member = a_member(make_campaign(schedule=SCHEDULE, completes_at_once=True))
    dial(NOW)
    end_all(NOW, "answered")
    return member


def _complete() -> list[UUID]:
    return campaign_completion.complete_finished(now=SOON)


def _adds_to(member: CampaignContact) -> Callable[[], int]:
    contact = make_contact(member.workspace, phone=a_number(RINGS_OUT))
    return lambda: len(membership.put_in(member.campaign_id, [contact.pk], workspace_id=member.workspace_id, now=SOON))


def _promises(member: CampaignContact) -> Callable[[], None]:
    def promise() -> None:
        scheduling.request(
            workspace_id=member.workspace_id,
            contact_id=member.contact_id,
            campaign_id=member.campaign_id,
            type=CallbackType.CUSTOMER_REQUESTED,
            scheduled_at=SOON + timedelta(hours=1),
            actor=SYSTEM,
            now=SOON,
        )

    return promise


def _is_refused(racer: Racer) -> bool:
    try:
        racer.result()
    except (TransitionConflict, CampaignOver):
        return True
    return False


def _harm_to(member: CampaignContact, *, refused: bool) -> str:
    """Say what is wrong with the campaign now: over with somebody in it whom nobody will call, or told so."""
    member.campaign.refresh_from_db()
    is_over = member.campaign.status == "completed"
    is_told = Event.objects.filter(workspace_id=member.workspace_id, type="campaign.ended").exists()
    waits = CampaignContact.objects.filter(campaign=member.campaign, state__in=OPEN_STATES).exists()
    if (is_over or is_told) and waits:
        return "the campaign is over, and somebody in it waits for a call"
    if refused != is_over:
        return f"the campaign is {member.campaign.status}, and whoever added was {'' if refused else 'not '}refused"
    return ""


def two_workers_at_a_bulk_action(ledger: Ledger, run: Threads) -> str:
    """Two workers move four callbacks to another time; each move is one audit entry and one event."""
    begin(ledger, run)
    campaign = make_campaign(schedule=SCHEDULE)
    for _ in range(ROWS):
        a_member(campaign)
    dial(NOW)
    end_all(NOW, "no_answer")
    order = Order(
        action="reschedule",
        fields={"scheduled_at": (NOW + timedelta(hours=5)).isoformat(), "reason": ""},
        workspace_id=campaign.workspace_id,
        actor=SYSTEM,
    )
    job = bulk.start(order, Callback.objects.all(), asked={}, now=NOW)
    stop = Stop(before="move_calls")
    first = run.start(lambda: bulk.run_batch(job.pk, now=SOON), stop, name="first worker")
    stop.wait()
    second = run.start(lambda: bulk.run_batch(job.pk, now=SOON), name="second worker")
    run.gets_through(second)
    stop.go_on.set()
    first.result()
    second.result()
    job = BulkAction.objects.get(pk=job.pk)
    told = Event.objects.filter(workspace_id=campaign.workspace_id, type="callback.rescheduled").count()
    audited = AuditEntry.objects.filter(workspace_id=campaign.workspace_id, verb="reschedule").count()
    found = (job.status, job.done, job.refused, told, audited)
    return "" if found == ("done", ROWS, {}, ROWS, ROWS) else f"status, done, refused, told and audited are {found}"


def two_readers_of_an_import(ledger: Ledger, run: Threads) -> str:
    """Two workers read one file into a campaign: two good rows and a bad one, and two phones that ring once."""
    begin(ledger, run)
    campaign = make_campaign(schedule=SCHEDULE)
    file = f"phone\n{a_number(RINGS_OUT)}\n{a_number(RINGS_OUT)}\nnobody\n".encode()
    source = imports.receive(campaign.workspace_id, [file], campaign_id=campaign.pk, actor=SYSTEM, now=NOW)
    stop = Stop(before="add_campaign_contacts")
    first = run.start(lambda: imports.read_batch(source.pk, now=NOW), stop, name="first reader")
    stop.wait()
    second = run.start(lambda: imports.read_batch(source.pk, now=NOW), name="second reader")
    run.gets_through(second)
    stop.go_on.set()
    first.result()
    second.result()
    run.start(place(claim(NOW), now=NOW), name="worker").result()
    source = Import.objects.get(pk=source.pk)
    counts = (source.status, source.rows_read, source.rows_good, source.rows_duplicate, source.rows_bad)
    if counts != ("done", 3, 2, 0, 1):
        return f"status, rows, good, duplicate and bad are {counts}"
    return harm_unless(2, ledger)

"""Deeds of operators: one function each, on somebody whom the dice name."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from callbacks import actions, bulk, corrections, scheduling, undoing
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackType
from callbacks.scheduling import Force
from dialer.calls import calls
from dialer.carriers.base import MessageReport, Report
from dialer.contacts import contacts, suppressions
from dialer.dialing import hanging_up, single_calls
from dialer.messages import messages
from dialer.messages import reports as message_reports
from dialer.models import Call, Contact, Suppression
from dialer.workspaces.audit import SYSTEM
from tests.simulation.world import ZONES, Tenant

if TYPE_CHECKING:
    from tests.simulation.script import Stage

CHECKS = ("outside_window", "contact_limit", "campaign_paused")


class Nobody(Exception):
    """There is nobody to whom it could be done."""


def one_of(stage: "Stage", found: Any) -> Any:
    """Return a row of a queryset, in an order that the seed decides alone."""
    rows = found.order_by("id")
    count = rows.count()
    if not count:
        raise Nobody
    return rows[stage.dice.randrange(count)]


def _tenant(stage: "Stage") -> Tenant:
    return stage.dice.choice(stage.world.tenants)


def _person(stage: "Stage") -> Contact:
    """Name somebody, more often one who is in the middle of a chain."""
    tenant = _tenant(stage)
    living = contacts.living(tenant.id)
    if stage.dice.random() < 0.7:
        living = living.filter(callbacks__status="pending")
    found: Contact = one_of(stage, living)
    return found


def _pending(stage: "Stage") -> Callback:
    found: Callback = one_of(stage, Callback.objects.in_workspace(_tenant(stage).id).filter(status="pending"))
    return found


def _campaign_of(stage: "Stage", contact: Contact) -> Any:
    campaigns = list(contact.campaign_contacts.order_by("id").values_list("campaign_id", flat=True))
    return stage.dice.choice([*campaigns, None])


def _force(stage: "Stage", share: float) -> Force | None:
    if stage.dice.random() >= share:
        return None
    checks = frozenset(stage.dice.sample(CHECKS, stage.dice.choice((1, 1, 3))))
    return Force(checks=checks, reason="the contact asked for it")


def promise_at_an_instant(stage: "Stage") -> None:
    contact, force = _person(stage), _force(stage, 0.15)
    wanted = stage.now + stage.dice.random() * timedelta(days=3)
    made = scheduling.request(
        workspace_id=contact.workspace_id,
        contact_id=contact.pk,
        campaign_id=_campaign_of(stage, contact),
        type=CallbackType.CUSTOMER_REQUESTED,
        scheduled_at=wanted,
        force=force,
        actor=SYSTEM,
        now=stage.now,
    )
    stage.promised(made, wanted=wanted, force=force)


def promise_on_their_clock(stage: "Stage") -> None:
    contact = _person(stage)
    day = stage.now.date() + timedelta(days=stage.dice.choice((1, 1, 2, 5)))
    hour, minute = stage.dice.choice((2, 2, 3, 9, 12, 15, 18)), stage.dice.choice((0, 10, 30))
    local = stage.now.replace(
        year=day.year, month=day.month, day=day.day, hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None
    )
    made = scheduling.request(
        workspace_id=contact.workspace_id,
        contact_id=contact.pk,
        campaign_id=_campaign_of(stage, contact),
        type=CallbackType.CUSTOMER_REQUESTED,
        local_time=local,
        actor=SYSTEM,
        now=stage.now,
    )
    stage.promised(made, local=local)


def manual(stage: "Stage") -> None:
    contact = _person(stage)
    wanted = stage.now + stage.dice.random() * timedelta(days=1)
    made = scheduling.request(
        workspace_id=contact.workspace_id,
        contact_id=contact.pk,
        campaign_id=_campaign_of(stage, contact),
        type=CallbackType.MANUAL,
        scheduled_at=wanted,
        replace=stage.dice.random() < 0.5,
        actor=SYSTEM,
        now=stage.now,
    )
    stage.promised(made, wanted=wanted)


def call_now(stage: "Stage") -> None:
    callback, force = _pending(stage), _force(stage, 0.4)
    actions.call_now(callback.pk, workspace_id=callback.workspace_id, force=force, actor=SYSTEM, now=stage.now)
    _moved(stage, callback, stage.now, force)


def reschedule(stage: "Stage") -> None:
    callback, force = _pending(stage), _force(stage, 0.3)
    wanted = stage.now + stage.dice.random() * timedelta(days=2)
    actions.reschedule(
        callback.pk,
        workspace_id=callback.workspace_id,
        scheduled_at=wanted,
        force=force,
        actor=SYSTEM,
        now=stage.now,
    )
    _moved(stage, callback, wanted, force)


def _moved(stage: "Stage", callback: Callback, to: datetime, force: Force | None) -> None:
    stage.told("forced", callback.call_id, sorted(force.checks) if force else [])
    stage.told("moved", callback.call_id, to)


def skip(stage: "Stage") -> None:
    callback = _pending(stage)
    actions.skip(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=stage.now)
    stage.told("taken out", callback.call_id, "skipped")


def cancel(stage: "Stage") -> None:
    callback = _pending(stage)
    actions.cancel(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=stage.now)
    stage.told("taken out", callback.call_id, "cancelled")


def complete(stage: "Stage") -> None:
    callback = _pending(stage)
    actions.complete(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=stage.now)
    stage.told("taken out", callback.call_id, "completed")


def undo(stage: "Stage") -> None:
    over = Callback.objects.in_workspace(_tenant(stage).id).filter(status__in=["cancelled", "skipped", "completed"])
    callback = one_of(stage, over)
    undoing.undo(callback.pk, workspace_id=callback.workspace_id, actor=SYSTEM, now=stage.now)
    stage.told("undone", callback.call_id)
    stage.told("taken out", callback.call_id, "")


def suppress(stage: "Stage") -> None:
    tenant = _tenant(stage)
    phones = sorted({_person(stage).phone for _ in range(stage.dice.choice((1, 1, 3)))})
    suppressions.add(tenant.id, phones, reason="manual", actor=SYSTEM, now=stage.now)
    for phone in phones:
        stage.world.record.told(stage.now, "suppressed", (str(tenant.id), phone), value=True)


def lift(stage: "Stage") -> None:
    entry = one_of(stage, Suppression.objects.in_workspace(_tenant(stage).id))
    suppressions.remove(entry, actor=SYSTEM, reason="a mistake", now=stage.now)
    stage.world.record.told(stage.now, "suppressed", (str(entry.workspace_id), entry.phone), value=False)


def change_number(stage: "Stage") -> None:
    contact, phone = _person(stage), stage.world.number()
    contacts.edit(contact.pk, workspace_id=contact.workspace_id, phone=phone, actor=SYSTEM, now=stage.now)
    stage.world.told_contact(contact.pk, phone=phone, now=stage.now)


def change_zone(stage: "Stage") -> None:
    contact = _person(stage)
    zone = stage.dice.choice((*ZONES, ""))
    contacts.edit(contact.pk, workspace_id=contact.workspace_id, time_zone=zone, actor=SYSTEM, now=stage.now)
    stage.world.told_contact(contact.pk, time_zone=zone, now=stage.now)


def delete_contact(stage: "Stage") -> None:
    contact = _person(stage)
    contacts.delete(contact.pk, workspace_id=contact.workspace_id, actor=SYSTEM, now=stage.now)
    stage.told("deleted", contact.pk)


def single_call(stage: "Stage") -> None:
    contact = _person(stage)
    schedule = stage.dice.choice(({}, {}, {"callback_retry_schedule": [30, 60]}, {"max_callback_attempts": 1}))
    made = single_calls.create(
        contact.workspace_id, contact_id=contact.pk, schedule=schedule, actor=SYSTEM, now=stage.now
    )
    stage.told("single call", made.call.pk, schedule)


def cancel_call(stage: "Stage") -> None:
    open_ones = Call.objects.in_workspace(_tenant(stage).id).filter(
        status__in=["queued", "dialing", "ringing", "in_progress"], direction="outbound"
    )
    call = one_of(stage, open_ones)
    done = calls.cancel(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, reason="", now=stage.now)
    stage.told("call cancelled", call.pk)
    if done.is_hanging_up:
        hanging_up.ask_due(limit=10, now=stage.now)


def call_unknown_back(stage: "Stage") -> None:
    unknown = Call.objects.in_workspace(_tenant(stage).id).filter(outcome="unknown", handled_at=None)
    call = one_of(stage, unknown)
    made = corrections.call_back(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=stage.now)
    stage.promised(made, wanted=stage.now)


def mark_unknown_reached(stage: "Stage") -> None:
    unknown = Call.objects.in_workspace(_tenant(stage).id).filter(outcome="unknown", handled_at=None)
    call = one_of(stage, unknown)
    corrections.mark_reached(call.pk, workspace_id=call.workspace_id, actor=SYSTEM, now=stage.now)
    stage.told("marked reached", call.pk)


def ring_us(stage: "Stage") -> None:
    """Let somebody call us: nobody answers, or they talk for some seconds."""
    contact = _person(stage)
    if stage.world.is_shared(stage.world.people[str(contact.pk)]["phone"]):
        raise Nobody
    ring(stage, contact.pk, seconds=stage.dice.choice((0, 5, 30, 60)))


def ring(stage: "Stage", contact_id: UUID, *, seconds: int) -> None:
    told = stage.world.people[str(contact_id)]
    tenant = next(tenant for tenant in stage.world.tenants if str(tenant.id) == told["workspace"])
    steps: list[tuple[Literal["ringing", "answered", "ended"], int]] = [("ringing", 0)]
    steps += [("answered", 10), ("ended", 10 + seconds)] if seconds else [("ended", 20)]
    ring_id = f"in-{stage.now.timestamp()}-{contact_id}"
    for kind, after in steps:
        report = Report(
            kind=kind,
            event_id=f"{ring_id}-{kind}",
            call_id=None,
            carrier_call_id=ring_id,
            occurred_at=stage.now + timedelta(seconds=after),
            outcome=("answered" if seconds else "no_answer") if kind == "ended" else None,
            duration_seconds=seconds if kind == "ended" else None,
            direction="inbound",
            from_number=told["phone"],
            to_number=tenant.number,
        )
        stage.engine.deliver(report.occurred_at, [report])
    stage.told("rang us", contact_id)


def write_to(stage: "Stage") -> None:
    contact = _person(stage)
    write(stage, contact.workspace_id, contact.pk)


def write(stage: "Stage", workspace_id: UUID, contact_id: UUID) -> None:
    made = messages.create(workspace_id, contact_id=contact_id, body="Hello", actor=SYSTEM, now=stage.now)
    stage.told("written to", made.pk, {"phone": stage.world.people[str(contact_id)]["phone"]})


def write_stop(stage: "Stage") -> None:
    stop(stage, _person(stage).pk)


def stop(stage: "Stage", contact_id: UUID) -> None:
    """Let somebody write STOP to the number that belongs to us."""
    told = stage.world.people[str(contact_id)]
    tenant = next(tenant for tenant in stage.world.tenants if str(tenant.id) == told["workspace"])
    report = MessageReport(
        kind="received",
        message_id=None,
        carrier_message_id=f"in-{stage.now.timestamp()}",
        occurred_at=stage.now,
        from_number=told["phone"],
        to_number=tenant.number,
        body="STOP",
    )
    message_reports.apply("simulated", [report], now=stage.now)
    stage.world.record.told(stage.now, "suppressed", (told["workspace"], told["phone"]), value=True)


def bulk_action(stage: "Stage") -> None:
    tenant = _tenant(stage)
    start_bulk(stage, tenant, stage.dice.choice(("skip", "cancel", "complete")), most=stage.dice.choice((2, 5, 9)))


def start_bulk(stage: "Stage", tenant: Tenant, action: str, *, most: int) -> None:
    """Choose some of the queue, as its page does, and let a worker do the same to all of them."""
    pending = Callback.objects.in_workspace(tenant.id).filter(status="pending").order_by("id")
    chosen = dict(pending.values_list("id", "call_id")[:most])
    if not chosen:
        raise Nobody
    order = bulk.Order(action=action, fields={}, workspace_id=tenant.id, actor=SYSTEM)
    job = bulk.start(order, Callback.objects.filter(pk__in=chosen), asked={}, now=stage.now)
    stage.world.bulks[job.pk] = chosen
    stage.engine.nudge_bulk(str(job.pk))


DEEDS: "Mapping[str, tuple[int, Callable[[Stage], None]]]" = {
    "promised at an instant": (10, promise_at_an_instant),
    "promised on their clock": (6, promise_on_their_clock),
    "promised by hand": (5, manual),
    "called now": (6, call_now),
    "rescheduled": (6, reschedule),
    "skipped": (6, skip),
    "cancelled": (3, cancel),
    "completed": (3, complete),
    "undone": (4, undo),
    "suppressed": (5, suppress),
    "lifted": (2, lift),
    "number changed": (5, change_number),
    "zone changed": (8, change_zone),
    "deleted": (1, delete_contact),
    "called once": (12, single_call),
    "call cancelled": (3, cancel_call),
    "unknown called back": (2, call_unknown_back),
    "unknown marked reached": (1, mark_unknown_reached),
    "rang us": (8, ring_us),
    "written to": (5, write_to),
    "wrote STOP": (2, write_stop),
    "done in bulk": (2, bulk_action),
}
"""What is done how often, of so many."""

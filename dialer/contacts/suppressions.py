"""Suppressions: a suppressed number is not called by any campaign, and its queued calls are withdrawn.

The number's lock makes this exact: placing checks under the same lock, so it either sees the suppression or has handed
the call to the carrier before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from dialer.calls import calls, campaign_contacts, events
from dialer.calls.hashed_numbers import forms_of, hashed
from dialer.models import Suppression
from dialer.rules import phone_number
from dialer.rules.statuses import ContactState
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.ids import new_id
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import Id, fetch
from webhooks.outbox import record_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Counts: entries made, numbers that were suppressed already, queued calls withdrawn."""

    added: list[Suppression]
    already: list[str]
    withdrawn: int


def add(
    workspace_id: UUID,
    phones: Sequence[str],
    *,
    reason: str,
    source: str = "",
    why: str = "",
    actor: Actor,
    now: datetime,
) -> Added:
    """Suppress numbers (E.164) in the workspace and withdraw their queued calls; repeating it changes nothing.

    ``why``, a person's own words, replaces ``reason`` in the audit entry.
    """
    with transaction.atomic():
        lock_numbers((workspace_id, phone) for phone in phones)
        done = add_in_transaction(workspace_id, phones, reason=reason, source=source, now=now)
        record(actor, [_change(entry, "suppress", why or reason) for entry in done.added], now=now)
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The result for numbers as people write them; ``refused`` has the invalid ones by their index."""

    done: Added
    refused: dict[int, str]


def take_in(
    workspace_id: UUID, texts: Sequence[str], *, reason: str, source: str = "", actor: Actor, now: datetime
) -> Taken:
    """Suppress numbers as people write them; an invalid one does not stop the others."""
    phones: list[str] = []
    refused: dict[int, str] = {}
    for index, text in enumerate(texts):
        try:
            phones.append(phone_number.parse(text))
        except phone_number.NumberNotDialable as not_dialable:
            refused[index] = str(not_dialable)
    done = add(workspace_id, phones, reason=reason, source=source, actor=actor, now=now)
    return Taken(done=done, refused=refused)


def add_in_transaction(workspace_id: UUID, phones: Sequence[str], *, reason: str, source: str, now: datetime) -> Added:
    """Do the work of :func:`add` for a caller that holds the numbers' locks."""
    wanted = sorted(set(phones))
    forms = {hashed(phone): phone for phone in wanted}
    held = Suppression.objects.in_workspace(workspace_id).filter(phone__in=forms).values_list("phone", flat=True)
    missing = sorted(set(wanted) - {forms[form] for form in held})
    inserted = {
        row.id
        for row in fetch(
            Id,
            "suppress_numbers",
            """
            INSERT INTO dialer_suppression (id, workspace_id, phone, reason, source, created_at)
            SELECT t.id, %(workspace)s, t.phone, %(reason)s, %(source)s, %(now)s
            FROM unnest(%(ids)s::uuid[], %(phones)s::text[]) AS t(id, phone)
            ON CONFLICT (workspace_id, phone) DO NOTHING
            RETURNING id
            """,
            {
                "workspace": workspace_id,
                "ids": [new_id() for _ in missing],
                "phones": missing,
                "reason": reason,
                "source": source,
                "now": now,
            },
        )
    }
    added = list(Suppression.objects.in_workspace(workspace_id).filter(pk__in=inserted))
    new = {entry.phone for entry in added}
    withdrawn = calls.withdraw_numbers(workspace_id, wanted, why=Withdrawal.SUPPRESSED, now=now)
    _finish_waiting(workspace_id, wanted, now=now)
    record_events(events.contacts_suppressed(added, at=now), now=now)
    return Added(added=added, already=[phone for phone in wanted if phone not in new], withdrawn=len(withdrawn))


def of_numbers(workspace_id: UUID, phones: Collection[str]) -> Mapping[str, Suppression]:
    """Return the entries that suppress these numbers, by number, whether they hold it plainly or as its hash."""
    form_of = {form: phone for phone in set(phones) if phone for form in forms_of([phone])}
    found = Suppression.objects.in_workspace(workspace_id).filter(phone__in=form_of)
    return {form_of[entry.phone]: entry for entry in found}


def remove(suppression: Suppression, *, actor: Actor, reason: str, now: datetime) -> bool:
    """Lift a suppression; returns whether it still existed. Withdrawn calls stay withdrawn."""
    with transaction.atomic():
        lock_numbers([(suppression.workspace_id, suppression.phone)])
        removed, _ = Suppression.objects.in_workspace(suppression.workspace_id).filter(pk=suppression.pk).delete()
        if removed:
            record(actor, [_change(suppression, "lift", reason)], now=now)
    return bool(removed)


def _finish_waiting(workspace_id: UUID, phones: Sequence[str], *, now: datetime) -> None:
    rows = fetch(
        Id,
        "waiting_contacts_by_number",
        """
        SELECT k.id FROM dialer_contact p
        JOIN dialer_campaigncontact k ON k.contact_id = p.id AND k.state = 'waiting'
        WHERE p.workspace_id = %(workspace)s AND p.phone = ANY(%(phones)s)
        """,
        {"workspace": workspace_id, "phones": list(phones)},
    )
    campaign_contacts.finish([row.id for row in rows], state=ContactState.SUPPRESSED, end_reason="suppressed", now=now)


def _change(suppression: Suppression, verb: str, reason: str) -> Change:
    return Change.of(
        suppression,
        "suppression",
        verb,
        to_state={"phone": suppression.phone} if verb == "suppress" else {},
        from_state={"phone": suppression.phone} if verb == "lift" else {},
        reason=reason,
    )

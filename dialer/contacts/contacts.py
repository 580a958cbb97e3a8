"""Contacts: creates them one by one or in batches, changes them, and forgets them.

A row with an ``external_id`` means the contact with that id, whatever its number; a row without one means the newest
contact with its number. So taking in the same rows again changes nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict, Unpack, cast
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from dialer.calls import calls, campaign_contacts
from dialer.calls.hashed_numbers import hash_suppressions
from dialer.calls.listener import listener
from dialer.contacts import first_calls
from dialer.models import Call, CampaignContact, CarrierEvent, Contact, Erasure, Message
from dialer.rules import phone_number
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.statuses import LIVE, OPEN_STATES, CallStatus, ContactState
from dialer.rules.time_zones import is_time_zone, zones_for
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import Actor, Change, erase_texts, record
from dialer.workspaces.ids import new_id, public_id
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import run
from dialer.workspaces.storable import object_error, text_error

LONGEST_NAME = 200
_WRITTEN = ("external_id", "name", "phone", "time_zone", "zones", "timezone_source", "warnings", "metadata")
_SHARDS = 32
"""Number of locks per workspace for creating contacts: a batch takes most of them, a single contact one."""


class InvalidContact(InvalidSettings):
    """The fields do not make a valid contact; ``errors`` names every field at fault."""


class ContactOnACall(Exception):
    """The contact is on a call and cannot be deleted before the call has ended."""


class ContactFields(TypedDict, total=False):
    """The fields of a contact; a field that is left out stays as it is."""

    external_id: str | None
    name: str
    phone: str
    time_zone: str
    metadata: Mapping[str, Any]


class Effect(StrEnum):
    """The effect of taking in a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A row that was taken in, with its contact."""

    contact: Contact
    effect: Effect
    changed: frozenset[str] = frozenset()
    """Names of the fields that an update changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A refused row: the first field at fault, and the reason."""

    field: str
    reason: str


def create(
    workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[ContactFields]
) -> tuple[Contact, Effect]:
    """Make a contact, or change the one with this ``external_id``; raises :class:`InvalidContact`.

    Without an ``external_id`` the contact is always new: one number may belong to several contacts.
    """
    row = _checked(fields)
    with transaction.atomic():
        if row.get("external_id") is None:
            made: Contact = Contact.objects.create(workspace_id=workspace_id, created_at=now, **_derived(row))
            taken: Taken | Bad = Taken(contact=made, effect=Effect.CREATED)
        else:
            taken = take_in(workspace_id, [fields], now=now)[0]
        assert isinstance(taken, Taken)
        match taken.effect:
            case Effect.CREATED:
                record(actor, [_audited(taken.contact, "create")], now=now)
            case Effect.UPDATED:
                changed = {"changed": sorted(taken.changed)}
                record(actor, [_audited(taken.contact, "edit", to_state=changed)], now=now)
            case Effect.UNCHANGED:
                pass
    return taken.contact, taken.effect


def find_or_create(workspace_id: UUID, *, name: str = "", phone: str, now: datetime) -> Contact:
    """Return the newest contact with this number unchanged, else make one; raises :class:`InvalidContact`."""
    row: ContactFields = {"name": name, "phone": phone}
    _checked(row)
    taken = take_in(workspace_id, [row], now=now)[0]
    assert isinstance(taken, Taken)
    return taken.contact


def take_in(workspace_id: UUID, rows: Sequence[ContactFields], *, now: datetime) -> list[Taken | Bad]:
    """Make or change a contact for each row; returns one answer per row, in order. A bad row does not stop the others.

    Runs a fixed number of statements. Concurrent calls with the same row make one contact.
    """
    checked = [_checked_or_bad(row) for row in rows]
    good = [row for row in checked if not isinstance(row, Bad)]
    with transaction.atomic():
        _lock_makers(workspace_id, good)
        batch = _Batch(workspace_id, good, now=now)
        answers: list[Taken | Bad] = [row if isinstance(row, Bad) else batch.take(row) for row in checked]
        batch.write()
    return answers


def edit(
    contact_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[ContactFields]
) -> Contact:
    """Change the given fields and derive zones and warnings again; queued calls go to the number valid when dialled.

    Raises :class:`InvalidContact`, also where the ``external_id`` belongs to another contact.
    """
    given = _checked(fields, is_whole=False)
    with transaction.atomic():
        _lock_makers(workspace_id, [given])
        lock_numbers([(workspace_id, str(contact_id))])
        contact: Contact = living(workspace_id).select_for_update(no_key=True).get(pk=contact_id)
        if not any(getattr(contact, name) != value for name, value in given.items()):
            return contact
        taken = given.get("external_id")
        if taken is not None and living(workspace_id).filter(external_id=taken).exclude(pk=contact_id).exists():
            raise InvalidContact({"external_id": ["belongs to another contact"]})
        changed = _change(contact, given)
        contact.save(update_fields=_WRITTEN)
        if changed & {"phone", "time_zone"}:
            _reschedule([contact_id], now=now)
        record(actor, [_audited(contact, "edit", to_state={"changed": sorted(changed)})], now=now)
    return contact


def delete(contact_id: UUID, *, workspace_id: UUID, actor: Actor, reason: str = "", now: datetime) -> None:
    """Forget a contact: withdraw its queued calls, and erase name, numbers, talks and texts from its rows.

    What other rows tell of it (events, deliveries, imports, the audit) is erased by ``dialer.retention.erasure`` soon
    after. A suppression of its number stays in force, as a keyed hash unless another contact has the number. Raises
    :class:`ContactOnACall` while it is being called.
    """
    with transaction.atomic():
        numbers = _numbers_of(living(workspace_id).get(pk=contact_id))
        lock_numbers([(workspace_id, str(contact_id)), *((workspace_id, number) for number in numbers)])
        contact: Contact = living(workspace_id).get(pk=contact_id)
        mine = Call.objects.in_workspace(workspace_id).filter(contact_id=contact_id)
        if mine.filter(status__in=LIVE).exists():
            message = "the contact is being called; delete it when the call has ended"
            raise ContactOnACall(message)
        queued = list(mine.filter(status=CallStatus.QUEUED).values_list("id", flat=True))
        calls.withdraw(queued, why=Withdrawal.CONTACT_DELETED, now=now)
        open_ones = CampaignContact.objects.in_workspace(workspace_id).filter(
            contact_id=contact_id, state__in=OPEN_STATES
        )
        campaign_contacts.finish(
            list(open_ones.values_list("id", flat=True)),
            state=ContactState.CANCELLED,
            end_reason="contact_deleted",
            now=now,
        )
        erase_texts(workspace_id, "contact", [contact.public_id])
        erase_rows(contact)
        living(workspace_id).filter(pk=contact_id).update(
            external_id=None,
            name="",
            phone="",
            time_zone="",
            zones=[],
            timezone_source="",
            warnings=[],
            status="",
            metadata={},
            deleted_at=now,
        )
        others = set(living(workspace_id).filter(phone__in=numbers).values_list("phone", flat=True))
        forgotten = [number for number in numbers if number not in others]
        for number in forgotten:
            hash_suppressions(workspace_id, number)
        Erasure.objects.create(
            workspace_id=workspace_id,
            contact=contact,
            person=json.dumps(
                {"numbers": forgotten, "names": [contact.name], "external_ids": [contact.external_id or ""]}
            ),
            due_at=now,
            created_at=now,
        )
        record(actor, [_audited(contact, "delete", reason=reason)], now=now)


def erase_rows(contact: Contact) -> None:
    """Erase numbers, talks and texts from the rows that belong to a contact, in the caller's transaction."""
    workspace_id = contact.workspace_id
    mine = Call.objects.in_workspace(workspace_id).filter(contact=contact)
    texts = Message.objects.in_workspace(workspace_id).filter(contact=contact)
    erase_texts(workspace_id, "call", [public_id(Call.public_prefix, pk) for pk in mine.values_list("pk", flat=True)])
    erase_texts(
        workspace_id, "message", [public_id(Message.public_prefix, pk) for pk in texts.values_list("pk", flat=True)]
    )
    erase_reports(mine)
    texts.update(number="", body="", metadata={}, failure="")
    mine.update(number="", transcript=None, recording_url=None, analysis=None, metadata={}, force=None)
    listener().contact_forgotten(contact.pk, workspace_id=workspace_id)


def erase_reports(mine: QuerySet[Call]) -> None:
    """Erase what carriers reported about these calls; of a call that came in they know only their own id."""
    CarrierEvent.objects.filter(call_id__in=mine.values("pk")).update(facts={}, raw={})
    theirs = mine.filter(inbound_id__isnull=False).values_list("line_id", "line__carrier", "inbound_id")
    for line_id, carrier, inbound_id in theirs:
        # The account of another line may have used the same id.
        by_line = Q(line_id=None) | Q(line_id=line_id)
        CarrierEvent.objects.filter(by_line, call_id=None, line_carrier=carrier, carrier_call_id=inbound_id).update(
            facts={}, raw={}
        )


def _numbers_of(contact: Contact) -> list[str]:
    """Return every number under which the contact was known."""
    found = {contact.phone}
    for model in (Call, Message):
        rows = model.objects.in_workspace(contact.workspace_id).filter(contact=contact)
        found |= set(rows.values_list("number", flat=True).distinct())
    return sorted(found - {""})


def living(workspace_id: UUID) -> QuerySet[Contact]:
    """Return the contacts of a workspace that were not deleted."""
    found: QuerySet[Contact] = Contact.objects.in_workspace(workspace_id).filter(deleted_at=None)
    return found


class _Batch:
    """Applies rows one after the other to the contacts in memory, and writes the result in a few statements."""

    def __init__(self, workspace_id: UUID, rows: Sequence[ContactFields], *, now: datetime) -> None:
        self.workspace_id = workspace_id
        self.now = now
        ids = [row["external_id"] for row in rows if row.get("external_id")]
        phones = [row["phone"] for row in rows if not row.get("external_id")]
        self.by_id: dict[str | None, Contact] = {
            contact.external_id: contact
            for contact in living(workspace_id).filter(external_id__in=ids).select_for_update(no_key=True)
        }
        # Ordered by id, so that the newest contact with a number wins.
        self.by_phone: dict[str, Contact] = {
            contact.phone: contact for contact in living(workspace_id).filter(phone__in=phones).order_by("id")
        }
        self.created: dict[UUID, Contact] = {}
        self.updated: dict[UUID, Contact] = {}
        self.moved: set[UUID] = set()

    def take(self, row: ContactFields) -> Taken:
        key = row.get("external_id")
        found = self.by_phone.get(row["phone"]) if key is None else self.by_id.get(key)
        if found is None:
            contact = Contact(id=new_id(), workspace_id=self.workspace_id, created_at=self.now, **_derived(row))
            self.created[contact.id] = contact
            self.by_phone[contact.phone] = contact
            if key is not None:
                self.by_id[key] = contact
            return Taken(contact=contact, effect=Effect.CREATED)
        changed = _change(found, row) if key is not None else set()
        if not changed:
            return Taken(contact=found, effect=Effect.UNCHANGED)
        if found.id not in self.created:
            self.updated[found.id] = found
            if changed & {"phone", "time_zone"}:
                self.moved.add(found.id)
        return Taken(contact=found, effect=Effect.UPDATED, changed=frozenset(changed))

    def write(self) -> None:
        lock_numbers((self.workspace_id, str(contact_id)) for contact_id in self.moved)
        _insert(list(self.created.values()))
        Contact.objects.bulk_create(
            self.updated.values(), update_conflicts=True, unique_fields=["id"], update_fields=_WRITTEN
        )
        if self.moved:
            _reschedule(sorted(self.moved), now=self.now)


def _insert(contacts: Sequence[Contact]) -> None:
    """Insert new contacts; measured with a thousand, ``bulk_create`` takes five times as much of Python's time."""
    if contacts:
        run(
            "insert_contacts",
            """
            INSERT INTO dialer_contact (id, workspace_id, external_id, name, phone, time_zone, zones, timezone_source,
                warnings, status, metadata, created_at)
            SELECT t.id, t.workspace_id, t.external_id, t.name, t.phone, t.time_zone, t.zones::jsonb, t.timezone_source,
                t.warnings::jsonb, '', t.metadata::jsonb, t.created_at
            FROM unnest(%(ids)s::uuid[], %(workspaces)s::uuid[], %(external_ids)s::text[], %(names)s::text[],
                %(phones)s::text[], %(time_zones)s::text[], %(zones)s::text[], %(sources)s::text[],
                %(warnings)s::text[], %(metadata)s::text[], %(created)s::timestamptz[])
                AS t(id, workspace_id, external_id, name, phone, time_zone, zones, timezone_source, warnings, metadata,
                    created_at)
            """,
            {
                "ids": [contact.id for contact in contacts],
                "workspaces": [contact.workspace_id for contact in contacts],
                "external_ids": [contact.external_id for contact in contacts],
                "names": [contact.name for contact in contacts],
                "phones": [contact.phone for contact in contacts],
                "time_zones": [contact.time_zone for contact in contacts],
                "zones": [json.dumps(contact.zones) for contact in contacts],
                "sources": [contact.timezone_source for contact in contacts],
                "warnings": [json.dumps(contact.warnings) for contact in contacts],
                "metadata": [json.dumps(contact.metadata) for contact in contacts],
                "created": [contact.created_at for contact in contacts],
            },
        )


def _checked(fields: ContactFields, *, is_whole: bool = True) -> ContactFields:
    """Return the fields as they are stored; raises :class:`InvalidContact` naming all that are at fault."""
    errors: dict[str, list[str]] = {}
    row: dict[str, Any] = {}
    for name, read in _READ.items():
        if name in fields or (name == "phone" and is_whole):
            try:
                row[name] = read(fields.get(name))
            except ValueError as refused:
                errors[name] = [str(refused)]
    if errors:
        raise InvalidContact(errors)
    return cast("ContactFields", row)


def _name(value: object) -> str:
    if value is not None and (reason := text_error(value, longest=LONGEST_NAME)):
        raise ValueError(reason)
    return str(value or "").strip()


def _external_id(value: object) -> str | None:
    return _name(value) or None


def _phone(value: object) -> str:
    return phone_number.parse(value if isinstance(value, str) else "")


def _time_zone(value: object) -> str:
    if value and not is_time_zone(value):
        message = "is not a known IANA time zone, such as Europe/Berlin"
        raise ValueError(message)
    return str(value or "")


def _metadata(value: object) -> Mapping[str, Any]:
    if value is not None and (reason := object_error(value)):
        raise ValueError(reason)
    return cast("Mapping[str, Any]", value or {})


_READ: dict[str, Callable[[object], Any]] = {
    "external_id": _external_id,
    "name": _name,
    "phone": _phone,
    "time_zone": _time_zone,
    "metadata": _metadata,
}


def _checked_or_bad(fields: ContactFields) -> ContactFields | Bad:
    try:
        return _checked(fields)
    except InvalidContact as refused:
        field, reasons = next(iter(refused.errors.items()))
        return Bad(field=field, reason=reasons[0])


def _derived(row: ContactFields) -> dict[str, Any]:
    """Return the columns of a row, with those derived from number and zone."""
    columns = {"name": "", "time_zone": "", "metadata": {}, **row}
    zones = zones_for(time_zone=columns["time_zone"], phone=columns["phone"])
    return columns | {
        "zones": list(zones.zones),
        "timezone_source": zones.source,
        "warnings": list(phone_number.doubts(columns["phone"])),
    }


def _change(contact: Contact, row: ContactFields) -> set[str]:
    """Apply a row to a contact in memory; returns the names of the fields that changed."""
    changed = {name for name, value in row.items() if getattr(contact, name) != value}
    if changed:
        known: ContactFields = {
            "phone": contact.phone,
            "time_zone": contact.time_zone,
            "name": contact.name,
            "metadata": contact.metadata,
            "external_id": contact.external_id,
        }
        for name, value in _derived({**known, **row}).items():
            setattr(contact, name, value)
    return changed


def _reschedule(contact_ids: Sequence[UUID], *, now: datetime) -> None:
    """Move callbacks and first calls of contacts whose number or zone, and so perhaps whose clock, has changed."""
    listener().contacts_rezoned(contact_ids, now=now)
    first_calls.look_again(contact_ids, now=now)


def _lock_makers(workspace_id: UUID, rows: Iterable[ContactFields]) -> None:
    """Let only one transaction at a time look up and create contacts with the same number or external id.

    Lock order: this lock comes before those of numbers and rows.
    """
    shards = {_shard(str(value)) for row in rows for value in (row.get("external_id"), row.get("phone")) if value}
    run(
        "lock_makers_of_contacts",
        "SELECT pg_advisory_xact_lock(k) FROM unnest(%(keys)s::bigint[]) WITH ORDINALITY AS t(k, o) ORDER BY o",
        {"keys": sorted(_lock_of(workspace_id, shard) for shard in shards)},
    )


def _shard(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=2).digest(), "big") % _SHARDS


def _lock_of(workspace_id: UUID, shard: int) -> int:
    digest = hashlib.blake2b(f"contacts:{workspace_id}:{shard}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _audited(contact: Contact, verb: str, *, to_state: Mapping[str, Any] | None = None, reason: str = "") -> Change:
    """Return the audit change for a contact, without name and number, because the entry outlives the contact."""
    return Change.of(contact, "contact", verb, to_state=to_state or {}, reason=reason)

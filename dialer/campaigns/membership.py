"""Adds contacts to campaigns by id, as objects or by an import; each at most once per campaign."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from dialer.calls import campaign_contacts
from dialer.contacts import contacts, first_calls
from dialer.contacts.contacts import Bad, ContactFields, Effect, InvalidContact, Taken
from dialer.models import Campaign, Contact
from dialer.rules.statuses import CAMPAIGN_OVER, CampaignStatus
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.ids import MalformedId, parse_public_id, public_id
from dialer.workspaces.transitions import TransitionConflict

MOST_AT_ONCE = 10_000
_STARTED = (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An entry that was not added, with its index in the list."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Counts of entries; ``submitted`` is the sum of the others."""

    submitted: int = 0
    added: int = 0
    duplicates: int = 0
    refused: list[Refused] = field(default_factory=list)


def add(campaign_id: UUID, entries: Sequence[object], *, workspace_id: UUID, actor: Actor, now: datetime) -> Added:
    """Add contacts, given as public ids (or UUIDs) and objects; adds the valid ones and names each invalid one.

    An object means the contact with its ``external_id``, else the newest with its number, else a new one. Adding twice
    changes nothing. A started campaign calls them from now on. Raises ``TransitionConflict`` if it has
    ended, :class:`~dialer.contacts.contacts.InvalidContact` for more than 10,000 entries.
    """
    if len(entries) > MOST_AT_ONCE:
        raise InvalidContact({"contacts": [f"must have at most {MOST_AT_ONCE:,} items, not {len(entries):,}"]})
    read = [_entry(entry) for entry in entries]
    with transaction.atomic():
        # Lock order: making contacts comes before locking the campaign.
        objects = [entry for entry in read if isinstance(entry, dict)]
        taken = iter(contacts.take_in(workspace_id, objects, now=now))  # type: ignore[arg-type]
        answers = [next(taken) if isinstance(entry, dict) else entry for entry in read]
        named = [answer for answer in answers if isinstance(answer, UUID)]
        known = set(contacts.living(workspace_id).filter(pk__in=named).values_list("id", flat=True))
        wanted: list[UUID] = []
        refused: list[Refused] = []
        for index, answer in enumerate(answers):
            match answer:
                case Taken():
                    wanted.append(answer.contact.id)
                case Bad():
                    refused.append(Refused(index=index, field=answer.field, reason=answer.reason))
                case UUID() if answer in known:
                    wanted.append(answer)
                case _:
                    refused.append(Refused(index=index, field="contact_id", reason="is not a contact of yours"))
        added = len(put_in(campaign_id, wanted, workspace_id=workspace_id, now=now))
        created, updated = _effects(answers, Effect.CREATED), _effects(answers, Effect.UPDATED)
        if added or created or updated:
            change = Change(
                workspace_id=workspace_id,
                verb="add_contacts",
                object_type="campaign",
                object_id=public_id(Campaign.public_prefix, campaign_id),
                to_state={"added": added, "contacts_created": created, "contacts_updated": updated},
            )
            record(actor, [change], now=now)
    return Added(submitted=len(entries), added=added, duplicates=len(wanted) - added, refused=refused)


def put_in(campaign_id: UUID, contact_ids: Iterable[UUID], *, workspace_id: UUID, now: datetime) -> set[UUID]:
    """Add contacts of the workspace to a campaign; returns the new ones. Raises ``TransitionConflict`` if it ended."""
    ids = list(dict.fromkeys(contact_ids))
    with transaction.atomic():
        campaign: Campaign = (
            Campaign.objects.in_workspace(workspace_id)
            .select_for_update(no_key=True, of=("self",))
            .select_related("line", "workspace")
            .get(pk=campaign_id)
        )
        if campaign.status in CAMPAIGN_OVER:
            raise TransitionConflict(what="the campaign", from_=campaign.status, to="one with more contacts")
        added = campaign_contacts.add(workspace_id, campaign_id, ids, now=now)
        if added:
            Campaign.objects.filter(pk=campaign_id).update(contact_added_at=now)
            if campaign.status in _STARTED:
                first_calls.schedule(campaign, limit=len(added), now=now)
    return added


def _effects(answers: Iterable[object], effect: Effect) -> int:
    return sum(isinstance(answer, Taken) and answer.effect is effect for answer in answers)


def _entry(entry: object) -> dict[str, Any] | UUID | Bad:
    """Read one entry: the fields of a contact, or its id."""
    if isinstance(entry, UUID):
        return entry
    if isinstance(entry, str):
        try:
            return parse_public_id(Contact.public_prefix, entry)
        except MalformedId as malformed:
            return Bad(field="contact_id", reason=str(malformed))
    if not isinstance(entry, Mapping):
        return Bad(field="contact", reason="must be the id of a contact or an object")
    unknown = [str(name) for name in entry if name not in ContactFields.__annotations__]
    if unknown:
        return Bad(field=unknown[0], reason="is not a known field")
    return dict(entry)

"""Erases what the rest of the database tells of a deleted contact: events, deliveries, texts that people wrote.

Deleting a contact erases its own rows at once and leaves an :class:`Erasure`. Its first step redacts the events of the
contact's chains and searches the texts of the workspace for the person; then the person's name and numbers are dropped.
The second step, a day later, erases what came late for the same rows: a carrier's report, an analysis. Each step may be
repeated, so a killed worker loses nothing; ADR 17 lists what is erased where.
"""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from dialer.contacts.contacts import erase_rows
from dialer.models import Call, CampaignContact, Contact, Erasure, Message
from dialer.retention.tables import path_to_workspace
from dialer.rules.mentions import ERASED, Person
from dialer.workspaces import idempotency
from webhooks import redaction
from webhooks.rules.redaction import PERSON

LATE = timedelta(days=1)
"""How long what came late is waited for."""
LEASE = timedelta(minutes=10)
"""A step takes seconds, or minutes in a workspace with millions of audit entries."""
TURN_SECONDS = 10.0
"""How long one run may take: other work of the same queue waits for it."""
BATCH = 2_000


def run_due(*, limit: int = 100, seconds: float = TURN_SECONDS, now: datetime) -> int:
    """Do the steps that are due, at most ``limit``, and begin none after ``seconds``; returns how many.

    Commits; must not be called in a transaction.
    """
    began, done = time.monotonic(), 0
    for erasure in Erasure.objects.filter(done_at=None, due_at__lte=now).order_by("due_at")[:limit]:
        elapsed = time.monotonic() - began
        if done and elapsed > seconds:
            break
        taken = Erasure.objects.filter(pk=erasure.pk, due_at=erasure.due_at, done_at=None)
        if taken.update(due_at=now + timedelta(seconds=elapsed) + LEASE):
            _step(erasure, now=now)
            done += 1
    return done


def _step(erasure: Erasure, *, now: datetime) -> None:
    contact: Contact = erasure.contact
    with transaction.atomic():
        erase_rows(contact)
    person = Person() if erasure.person is None else Person(**_tuples(json.loads(erasure.person)))
    redaction.redact([*_events_of(contact), *redaction.outside_chains(contact.workspace_id, person.whole)], PERSON)
    mine = Erasure.objects.filter(pk=erasure.pk)
    if erasure.searched_at is None:
        _search_texts(contact.workspace_id, person)
        idempotency.forget_answers(contact.workspace_id, mentioning=(contact.public_id, *person.whole))
        mine.update(person=None, searched_at=now, due_at=now + LATE)
    else:
        mine.update(due_at=None, done_at=now)


def _tuples(stored: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(text for text in texts if text) for name, texts in stored.items()}


def _events_of(contact: Contact) -> list[UUID]:
    """Return the events of the contact's chains and messages; the chain of a campaign contact has its id."""
    chains = set(CampaignContact.objects.filter(contact=contact).values_list("pk", flat=True))
    chains |= set(Call.objects.filter(contact=contact).values_list("chain_id", flat=True))
    messages = Message.objects.filter(contact=contact).values_list("pk", flat=True)
    keys = [f"message.{what}:{pk}" for pk in messages for what in ("sent", "delivered", "failed", "received")]
    return redaction.events_of(contact.workspace_id, chain_ids=sorted(chains), keys=keys)


def _search_texts(workspace_id: UUID, person: Person) -> None:
    """Replace every mention of the person in columns that are declared as ``free_text``."""
    for model in apps.get_models():
        columns: Sequence[str] = getattr(model, "free_text", ())
        for row in _rows(model, columns, workspace_id) if columns else ():
            cleaned = {name: person.erased_from(row[name]) for name in columns}
            changed = {name: _erased(row[name], value) for name, value in cleaned.items() if value != row[name]}
            if changed:
                model._base_manager.filter(pk=row["pk"]).update(**changed)  # noqa: SLF001 — Django documents it


def _erased(value: object, cleaned: object) -> object:
    """Return the value without the mentions; a list is a row of an import, and all of it is about the person."""
    return [ERASED] * len(value) if isinstance(value, list) else cleaned


def _rows(model: type[Model], columns: Sequence[str], workspace_id: UUID) -> Iterator[dict[str, Any]]:
    mine = model._base_manager.filter(**{str(path_to_workspace(model)): workspace_id}).order_by("pk")  # noqa: SLF001
    after = None
    while True:
        batch = list((mine if after is None else mine.filter(pk__gt=after)).values("pk", *columns)[:BATCH])
        yield from batch
        if len(batch) < BATCH:
            return
        after = batch[-1]["pk"]

"""Deletes imports and erases talks that are older than their workspace keeps them, in batches found by index."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F

from dialer.contacts.contacts import erase_reports
from dialer.models import Call, Import, ImportPart, ImportProblem
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import fetch
from webhooks import redaction
from webhooks.rules.redaction import TALK

_DAY = timedelta(days=1)


def delete_imports(*, limit: int, now: datetime) -> int:
    """Delete finished imports with their bad rows, at most ``limit`` rows; return how many imports are gone."""
    old = Import.objects.filter(finished_at__lt=now - F("workspace__keep_imports_days") * _DAY).order_by("id")
    ids = list(old.values_list("pk", flat=True)[:limit])
    rows = list(ImportProblem.objects.filter(source__in=ids).values_list("pk", flat=True)[:limit])
    ImportProblem.objects.filter(pk__in=rows).delete()
    if len(rows) == limit:  # the next round goes on
        return 0
    ImportPart.objects.filter(source__in=ids).delete()
    return int(Import.objects.filter(pk__in=ids).delete()[0])


class _Old(NamedTuple):
    id: UUID
    workspace_id: UUID
    chain_id: UUID


def erase_talks(*, limit: int, now: datetime) -> int:
    """Erase transcripts, recordings' addresses and analyses of at most ``limit`` calls, from their events too.

    The reports of their carriers go with them. Returns how many calls. Commits; safe to interrupt.
    """
    kept = dict(
        Workspace.objects.filter(keep_transcripts_days__isnull=False).values_list("pk", "keep_transcripts_days")
    )
    old = fetch(
        _Old,
        "old_talks",
        """
        SELECT c.id, c.workspace_id, c.chain_id
        FROM unnest(%(workspaces)s::uuid[], %(before)s::timestamptz[]) AS t (workspace_id, before)
        CROSS JOIN LATERAL (
            SELECT id, workspace_id, chain_id FROM dialer_call
            WHERE workspace_id = t.workspace_id AND ended_at < t.before
                AND (transcript IS NOT NULL OR recording_url IS NOT NULL OR analysis IS NOT NULL)
            ORDER BY ended_at LIMIT %(limit)s
        ) c LIMIT %(limit)s
        """,
        {
            "workspaces": list(kept),
            "before": [now - _DAY * (days or 0) for days in kept.values()],
            "limit": limit,
        },
    )
    for workspace_id in {row.workspace_id for row in old}:
        _erase(workspace_id, [row for row in old if row.workspace_id == workspace_id])
    return len(old)


def _erase(workspace_id: UUID, old: Sequence[_Old]) -> None:
    """Erase from the events first: a call whose talk is erased is not found again."""
    chains, ids = {row.chain_id for row in old}, [row.id for row in old]
    results = [f"call.exhausted:{chain_id}" for chain_id in chains]
    redaction.redact(redaction.events_of(workspace_id, chain_ids=list(chains), call_ids=ids, keys=results), TALK)
    with transaction.atomic():
        mine = Call.objects.in_workspace(workspace_id).filter(pk__in=ids)
        erase_reports(mine)
        mine.update(transcript=None, recording_url=None, analysis=None)

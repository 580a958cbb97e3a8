"""Deadlines of pending callbacks: a late promise is reported once, a retry that is too late expires.

Celery beat runs both sweeps, in batches. Two runs at once are safe: each row is checked again under its lock.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from callbacks import events
from callbacks.models import Callback
from callbacks.queue_views import why_waiting
from callbacks.rules.explanation import Code, step
from callbacks.rules.statuses import CallbackStatus
from dialer.calls import calls
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import SYSTEM, Change, record
from dialer.workspaces.statements import fetch
from webhooks.outbox import record_events

LATE_AFTER = timedelta(minutes=15)
"""A promise this late raises an alert."""
EXPIRES_AFTER = timedelta(days=7)
"""A stale retry this late expires."""


class _Late(NamedTuple):
    id: int


def tell_late(*, limit: int = 500, now: datetime) -> list[int]:
    """Record ``callback.late`` for late promises that have none yet; return their ids.

    There is one event per promised time: a promise that is moved may be late again. The event's reason is the hold.
    """
    with transaction.atomic():
        rows = fetch(
            _Late,
            "tell_late_promises",
            """
            WITH late AS (
                SELECT id FROM callbacks_callback
                WHERE status = 'pending' AND type <> 'auto_retry' AND late_event_at IS NULL AND scheduled_at <= %(late)s
                ORDER BY scheduled_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE callbacks_callback b SET late_event_at = %(now)s, updated_at = %(now)s
            FROM late WHERE b.id = late.id RETURNING b.id
            """,
            {"late": now - LATE_AFTER, "limit": limit, "now": now},
        )
        ids = [row.id for row in rows]
        for reason, mine in _by_reason(ids, now=now).items():
            record_events(events.of_callbacks(mine, "late", reason=reason, at=now), now=now)
    return ids


class _TooLate(NamedTuple):
    call_id: UUID


def expire(*, limit: int = 500, now: datetime) -> list[UUID]:
    """Expire stale retries that no operator decided on; return the calls that were withdrawn.

    Their chains end: ``callback.expired`` and ``call.exhausted`` are recorded and the campaign contacts finished. A
    retry that its workspace does not consider stale yet stays, however late it is.
    """
    with transaction.atomic():
        # Served by the queue's index, workspace by workspace: retries that have yet to expire are few.
        found = fetch(
            _TooLate,
            "expired_retries",
            """
            SELECT b.call_id FROM workspaces_workspace w
            CROSS JOIN LATERAL (
                SELECT b.call_id FROM callbacks_callback b JOIN dialer_call c ON c.id = b.call_id
                WHERE b.workspace_id = w.id AND b.status = 'pending' AND b.scheduled_at <= %(expired)s
                    AND b.type = 'auto_retry' AND c.status = 'queued' AND c.not_after < %(now)s
                ORDER BY b.scheduled_at LIMIT %(limit)s
            ) b
            LIMIT %(limit)s
            """,
            {"expired": now - EXPIRES_AFTER, "now": now, "limit": limit},
        )
        withdrawn = calls.withdraw([row.call_id for row in found], why=Withdrawal.EXPIRED, now=now, only_stale=True)
        _explain_expiry(withdrawn, now=now)
    return withdrawn


def _by_reason(ids: Sequence[int], *, now: datetime) -> Mapping[str, list[int]]:
    """Group late promises by the reason of their hold, which is empty where nothing holds them."""
    waiting = why_waiting(list(Callback.objects.filter(pk__in=ids)), now=now) if ids else {}
    grouped: dict[str, list[int]] = defaultdict(list)
    for callback_id in sorted(ids):
        grouped[waiting[callback_id].code if callback_id in waiting else ""].append(callback_id)
    return grouped


class _Expired(NamedTuple):
    id: int
    workspace_id: UUID


def _explain_expiry(call_ids: Sequence[UUID], *, now: datetime) -> None:
    if not call_ids:
        return
    text = f"Nobody called for {EXPIRES_AFTER.days} days; a retry so late is given up."
    rows = fetch(
        _Expired,
        "explain_expiry",
        """
        UPDATE callbacks_callback SET explanation = explanation || %(step)s::jsonb
        WHERE call_id = ANY(%(calls)s) RETURNING id, workspace_id
        """,
        {"calls": list(call_ids), "step": json.dumps([step(Code.EXPIRED, text, at=now)])},
    )
    record(
        SYSTEM,
        [
            Change(
                workspace_id=row.workspace_id,
                verb="expire",
                object_type="callback",
                object_id=str(row.id),
                from_state={"status": CallbackStatus.PENDING.value},
                to_state={"status": CallbackStatus.EXPIRED.value},
                reason=text,
            )
            for row in rows
        ],
        now=now,
    )

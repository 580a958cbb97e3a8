"""Callback statuses: the only module that changes them.

Each verb updates a batch in one statement and skips rows whose status does not allow the move
(:data:`~callbacks.rules.statuses.CALLBACK_MOVES`). It runs in the caller's transaction, and the caller records the
events. :mod:`callbacks.scheduled` inserts new callbacks.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from callbacks.models import Callback
from callbacks.rules.explanation import Step
from callbacks.rules.statuses import UNDOABLE, CallbackStatus
from dialer.workspaces.statements import fetch, run


class _CallbackId(NamedTuple):
    id: int


class _CallId(NamedTuple):
    call_id: UUID


def dial(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """Mark the pending callbacks of these calls as being dialled."""
    run(
        "callbacks_dialling",
        """
        UPDATE callbacks_callback SET status = 'dialing', dialled_at = %(now)s, updated_at = %(now)s
        WHERE call_id = ANY(%(calls)s) AND status = 'pending'
        """,
        {"calls": list(call_ids), "now": now},
    )


def put_back(call_ids: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """Make the callbacks of these calls pending again.

    A callback stays ``dialing`` where another one of its contact and campaign is pending by now; its call is returned.
    """
    calls = list(call_ids)
    run(
        "callbacks_put_back",
        """
        UPDATE callbacks_callback b SET status = 'pending', dialled_at = NULL, updated_at = %(now)s
        WHERE b.call_id = ANY(%(calls)s) AND b.status = 'dialing' AND NOT EXISTS (
            SELECT FROM callbacks_callback o
            WHERE o.contact_id = b.contact_id AND o.campaign_id IS NOT DISTINCT FROM b.campaign_id
                AND o.status = 'pending')
        """,
        {"calls": calls, "now": now},
    )
    left = fetch(
        _CallId,
        "callbacks_in_the_way",
        "SELECT call_id FROM callbacks_callback WHERE call_id = ANY(%(calls)s) AND status = 'dialing'",
        {"calls": calls},
    )
    return [row.call_id for row in left]


def finish(call_ids: Sequence[UUID], *, now: datetime) -> None:
    """Mark the open callbacks of these calls, which have ended, as done."""
    run(
        "callbacks_done",
        """
        UPDATE callbacks_callback SET status = 'done', updated_at = %(now)s
        WHERE call_id = ANY(%(calls)s) AND status IN ('pending', 'dialing')
        """,
        {"calls": list(call_ids), "now": now},
    )


def withdraw(call_ids: Sequence[UUID], *, to: CallbackStatus, completed_by: str = "", now: datetime) -> list[int]:
    """Move the open callbacks of withdrawn calls to a final status; return the ids of those it changed."""
    rows = fetch(
        _CallbackId,
        "callbacks_withdrawn",
        """
        UPDATE callbacks_callback SET status = %(status)s, completed_by = %(by)s, dialled_at = NULL,
            updated_at = %(now)s
        WHERE call_id = ANY(%(calls)s) AND status IN ('pending', 'dialing') RETURNING id
        """,
        {"calls": list(call_ids), "status": to.value, "by": completed_by, "now": now},
    )
    return [row.id for row in rows]


def reopen(callback: Callback, *, explained: Step, now: datetime) -> None:
    """Make a callback that an operator ended pending again; the caller holds its row locked."""
    Callback.objects.filter(pk=callback.pk, status__in=[status.value for status in UNDOABLE]).update(
        status=CallbackStatus.PENDING.value,
        completed_by="",
        explanation=[*callback.explanation, explained],
        updated_at=now,
    )

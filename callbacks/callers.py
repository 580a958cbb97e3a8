"""Inbound calls: an answered one completes the contact's pending callbacks; an operator can undo that for 24 hours."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from callbacks.rules.explanation import Code, step
from dialer.calls import calls
from dialer.calls.listener import EndedCall
from dialer.rules.statuses import Outcome
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces.audit import SYSTEM, Change, record
from dialer.workspaces.ids import public_id
from dialer.workspaces.statements import fetch

INBOUND_CALL = "inbound_call"
"""``completed_by`` of these callbacks."""
A_TALK = timedelta(seconds=10)
"""The shortest talk that completes a requested callback; a talk of any length completes retries."""


def complete_for_callers(ended: Sequence[EndedCall], *, now: datetime) -> list[UUID]:
    """Complete callbacks of contacts whose inbound call was answered, in all campaigns; return the withdrawn calls.

    Retries are always completed: a contact who calls back at once may be quicker than the report of the missed call.
    A callback that the contact requested is completed only if it was made before this call and the talk was long
    enough. Callbacks that an operator made stay.
    """
    withdrawn: list[UUID] = []
    for each in ended:
        if each.end.outcome is Outcome.ANSWERED:
            withdrawn += _complete(each, now=now)
    return withdrawn


class _Needless(NamedTuple):
    call_id: UUID


def _complete(ended: EndedCall, *, now: datetime) -> list[UUID]:
    needless = fetch(
        _Needless,
        "callbacks_of_caller",
        """
        SELECT call_id FROM callbacks_callback
        WHERE contact_id = %(contact)s AND status = 'pending' AND (type = 'auto_retry'
            OR (type = 'customer_requested' AND created_at <= %(began)s AND %(talked)s >= %(a_talk)s))
        """,
        {
            "contact": ended.call.contact_id,
            "began": ended.call.dialing_at,
            "talked": ended.talked_seconds,
            "a_talk": A_TALK.total_seconds(),
        },
    )
    withdrawn = calls.withdraw([row.call_id for row in needless], why=Withdrawal.INBOUND_CALL, now=now)
    if withdrawn:
        _explain(withdrawn, ended, now=now)
    return withdrawn


class _Completed(NamedTuple):
    id: int
    workspace_id: UUID
    scheduled_at: datetime


def _explain(withdrawn: Sequence[UUID], ended: EndedCall, *, now: datetime) -> None:
    text = f"The contact called us ({public_id('call', ended.call.id)})."
    rows = fetch(
        _Completed,
        "explain_completion_by_caller",
        """
        UPDATE callbacks_callback SET explanation = explanation || %(step)s::jsonb
        WHERE call_id = ANY(%(calls)s) RETURNING id, workspace_id, scheduled_at
        """,
        {"calls": list(withdrawn), "step": json.dumps([step(Code.CONTACT_CALLED, text, at=now)])},
    )
    record(
        SYSTEM,
        [
            Change(
                workspace_id=row.workspace_id,
                verb="complete",
                object_type="callback",
                object_id=str(row.id),
                from_state={"status": "pending"},
                to_state={"status": "completed", "completed_by": INBOUND_CALL},
                reason=text,
            )
            for row in rows
        ],
        now=now,
    )

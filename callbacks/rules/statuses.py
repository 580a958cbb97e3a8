"""States and kinds of callbacks."""

from collections.abc import Mapping
from enum import StrEnum


class CallbackStatus(StrEnum):
    PENDING = "pending"  # promised; ends when its call is handed over, or by one of the operator's verbs
    DIALING = "dialing"  # its call was handed to the carrier; ends with that call
    DONE = "done"  # final: it was called
    SKIPPED = "skipped"  # ended, an undo reopens it: this retry was used up without a call
    CANCELLED = "cancelled"  # ended, an undo reopens it
    COMPLETED = "completed"  # ended, an undo reopens it: handled by hand, or the contact called us
    SUPERSEDED = "superseded"  # final: a promise took its place
    EXPIRED = "expired"  # final: too late to be called


CALLBACK_MOVES: Mapping[CallbackStatus, frozenset[CallbackStatus]] = {
    CallbackStatus.PENDING: frozenset(CallbackStatus) - {CallbackStatus.PENDING},
    CallbackStatus.DIALING: frozenset(CallbackStatus) - {CallbackStatus.DIALING},
    CallbackStatus.DONE: frozenset(),
    # An operator may undo what an operator did.
    CallbackStatus.SKIPPED: frozenset({CallbackStatus.PENDING}),
    CallbackStatus.CANCELLED: frozenset({CallbackStatus.PENDING}),
    CallbackStatus.COMPLETED: frozenset({CallbackStatus.PENDING}),
    CallbackStatus.SUPERSEDED: frozenset(),
    CallbackStatus.EXPIRED: frozenset(),
}
"""The statuses that a callback may go to from each."""

UNDOABLE = (CallbackStatus.CANCELLED, CallbackStatus.SKIPPED, CallbackStatus.COMPLETED)
"""Statuses that an operator's verb sets and an undo reverts; each is also the reason of the call's withdrawal."""


class CallbackType(StrEnum):
    AUTO_RETRY = "auto_retry"  # follows a call that did not connect
    CUSTOMER_REQUESTED = "customer_requested"  # the contact named a time
    MANUAL = "manual"  # an operator made it


class BulkStatus(StrEnum):
    RUNNING = "running"  # rows are left; workers take them in batches
    DONE = "done"  # final: every row was processed
    STOPPED = "stopped"  # final: a person stopped it; what was done stays done


PROMISES = (CallbackType.CUSTOMER_REQUESTED, CallbackType.MANUAL)
"""Promises; they are never dropped, but called or listed for a person."""

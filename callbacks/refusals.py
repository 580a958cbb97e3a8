"""Why a verb of the queue refuses: a code for programs, and words that can be counted."""

from collections.abc import Mapping

from callbacks.actions import NotARetry
from callbacks.models import Callback
from callbacks.rules.statuses import CallbackStatus
from callbacks.scheduling import AlreadyPending, CampaignOver, ContactSuppressed, InvalidTime, OutsideWindow
from callbacks.undoing import NotUndoable
from dialer.models import Persona
from dialer.workspaces.transitions import TransitionConflict

_CODES: Mapping[type[Exception], str] = {
    NotARetry: "not_a_retry",
    ContactSuppressed: "contact_suppressed",
    AlreadyPending: "already_pending",
    CampaignOver: "campaign_over",
    InvalidTime: "invalid_time",
    Callback.DoesNotExist: "not_found",
    Persona.DoesNotExist: "no_such_persona",
}
_WORDS: Mapping[str, str] = {
    "already_pending": "have another callback pending",
    "already_dialing": "already being dialled",
    "already_done": "already dialled",
    "still_pending": "still pending, with nothing to be taken back",
    "not_a_retry": "no retries, which alone can be skipped",
    "contact_suppressed": "on the do-not-call list",
    "campaign_over": "of campaigns that have ended",
    "invalid_time": "not possible at that time",
    "not_found": "gone",
    "no_such_persona": "without that persona",
    "outside_window": "outside the calling window then",
    "contact_limit": "over the contact limit then",
    "campaign_paused": "of campaigns that are paused",
    "not_by_hand": "not ended by an operator",
    "contact_called": "called since",
    "contact_answered": "reached since",
    "skipped_again": "followed by a retry that was skipped too",
    "contact_deleted": "of deleted contacts",
    "too_late": "too old to be taken back",
    "failed": "failed for a reason that was logged",
}
_DID: Mapping[str, str] = {
    "call_now": "to be called next",
    "reschedule": "rescheduled",
    "skip": "skipped",
    "cancel": "cancelled",
    "complete": "completed",
    "undo": "taken back",
    "edit": "edited",
}


def code_of(raised: Exception) -> str | None:
    """Return the code of a refusal; ``None`` for what is none."""
    match raised:
        case TransitionConflict(from_=CallbackStatus.PENDING):
            return "still_pending"
        case TransitionConflict():
            return f"already_{raised.from_}".replace(" ", "_")[:32]
        case OutsideWindow():
            return raised.reason
        case NotUndoable():
            return raised.why
    return next((code for kind, code in _CODES.items() if isinstance(raised, kind)), None)


def counted(action: str, *, done: int, refused: Mapping[str, int], dry_run: bool = False) -> str:
    """Say what an action did to how many: ``7 rescheduled, 2 already being dialled``."""
    did = f"{done:,} would be {_DID[action]}" if dry_run else f"{done:,} {_DID[action]}"
    why = (f"{count:,} {words_of(code)}" for code, count in sorted(refused.items(), key=lambda pair: -pair[1]))
    return ", ".join([did, *why])


def words_of(code: str) -> str:
    return _WORDS.get(code, code.replace("_", " "))

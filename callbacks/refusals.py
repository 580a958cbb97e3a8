"""Why a verb of the queue refuses: exceptions, each with a code for programs and words for people."""

from collections.abc import Mapping
from datetime import datetime

from callbacks.models import Callback
from callbacks.rules.statuses import CallbackStatus
from dialer.models import Contact, Persona
from dialer.rules.waits import FORCEABLE, TEXTS, Waits
from dialer.workspaces.instants import written
from dialer.workspaces.transitions import TransitionConflict


class Refused(Exception):
    """A verb refuses and changes nothing; the text is a sentence without its full stop."""

    code: str

    @property
    def details(self) -> Mapping[str, object]:
        """Return details for programs, ready for JSON."""
        return {}


class InvalidTime(Refused, ValueError):
    """The time cannot be promised; the text says what is wrong with it: ``is in the past``."""

    code = "invalid_time"


class NotARetry(Refused):
    """Only an automatic retry can be skipped."""

    code = "not_a_retry"

    def __init__(self) -> None:
        super().__init__("only a retry can be skipped; a promise is called, moved, cancelled or completed")


class ContactSuppressed(Refused):
    """The number is not to be called."""

    code = "contact_suppressed"

    def __init__(self) -> None:
        super().__init__("the contact is on the do-not-call list")


class CampaignOver(Refused):
    """The campaign has ended, so nothing can be scheduled in it."""

    code = "campaign_over"

    def __init__(self) -> None:
        super().__init__("the campaign has ended")


class NoLineOrPersona(Refused):
    """Neither the campaign, nor an earlier call, nor the workspace determines the persona and the line."""

    code = "no_line_or_persona"

    def __init__(self) -> None:
        super().__init__("nothing says who calls over which line; name a campaign or a persona")


class AlreadyPending(Refused):
    """The contact has a pending callback, and a manual one does not replace it."""

    code = "already_pending"

    def __init__(self, callback_id: int) -> None:
        super().__init__("the contact has a pending callback already; a retry can be replaced, a promise cannot")
        self.callback_id = callback_id

    @property
    def details(self) -> Mapping[str, object]:
        return {"callback_id": self.callback_id}


class OutsideWindow(Refused):
    """The contact may not be called then; ``next_opening`` is the next permitted time, if there is one."""

    def __init__(self, reason: Waits, next_opening: datetime | None) -> None:
        super().__init__(TEXTS[reason])
        self.code = reason.value
        self.next_opening = next_opening

    @property
    def details(self) -> Mapping[str, object]:
        return {"next_permitted_at": written(self.next_opening) if self.next_opening else None}


class NotUndoable(Refused):
    """Something took the callback's place, or no operator ended it; ``why`` is a code."""

    code = "not_undoable"
    _TEXTS: Mapping[str, str] = {
        "not_by_hand": "no operator ended it",
        "contact_called": "the contact was called since",
        "contact_answered": "the contact was reached since",
        "skipped_again": "the retry that followed was skipped too; undo that skip first",
        "contact_deleted": "the contact was deleted",
        "too_late": "what the contact's own call completed can be undone for 24 hours only",
    }

    def __init__(self, *, why: str) -> None:
        super().__init__(f"it cannot be undone: {self._TEXTS[why]}")
        self.why = why

    @property
    def details(self) -> Mapping[str, object]:
        return {"why": self.why}


CODES = frozenset({kind.code for kind in Refused.__subclasses__() if hasattr(kind, "code")} | set(FORCEABLE))
"""Every code of a refusal; that of ``OutsideWindow`` is the check that refuses."""
_MISSING: Mapping[type[Exception], str] = {
    Callback.DoesNotExist: "not_found",
    Contact.DoesNotExist: "contact_deleted",
    Persona.DoesNotExist: "no_such_persona",
}
_COUNTED: Mapping[str, str] = {
    "already_pending": "have another callback pending",
    "already_dialing": "already being dialled",
    "already_done": "already dialled",
    "still_pending": "still pending, with nothing to be undone",
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
    "too_late": "too old to be undone",
    "failed": "failed for a reason that was logged",
}


def code_of(raised: Exception) -> str | None:
    """Return the code under which bulk actions count a refusal; ``None`` for any other exception."""
    match raised:
        case TransitionConflict(from_=CallbackStatus.PENDING):
            return "still_pending"
        case TransitionConflict():
            return f"already_{raised.from_}".replace(" ", "_")[:32]
        case NotUndoable():
            return raised.why
        case Refused():
            return raised.code
    return next((code for kind, code in _MISSING.items() if isinstance(raised, kind)), None)


def words_of(code: str) -> str:
    return _COUNTED.get(code, code.replace("_", " "))

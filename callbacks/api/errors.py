"""What the refusals of the callback queue mean to a client."""

from callbacks.actions import NotARetry
from callbacks.scheduling import AlreadyPending, CampaignOver, ContactSuppressed, NoLineOrPersona, OutsideWindow
from callbacks.undoing import NotUndoable
from dialer.workspaces.api.errors import Problem, answers
from dialer.workspaces.instants import written

_WHY_NOT_THEN = {
    "outside_window": "The contact may not be called then: outside the calling window.",
    "contact_limit": "The contact may not be called then: one more call would exceed a contact limit.",
    "campaign_paused": "The campaign does not run.",
}


@answers(NotARetry)
def _not_a_retry(_: NotARetry) -> Problem:
    return _conflict("not_a_retry", "Only an automatic retry can be skipped.")


@answers(NotUndoable)
def _not_undoable(error: NotUndoable) -> Problem:
    return _conflict("not_undoable", f"This cannot be taken back: {error}.", why=error.why)


@answers(OutsideWindow)
def _outside_window(error: OutsideWindow) -> Problem:
    at = written(error.next_opening) if error.next_opening else None
    return _conflict(error.reason, _WHY_NOT_THEN[error.reason], next_permitted_at=at)


@answers(ContactSuppressed)
def _suppressed(_: ContactSuppressed) -> Problem:
    return _conflict("contact_suppressed", "The contact's number is on the list of numbers not to be called.")


@answers(CampaignOver)
def _campaign_over(_: CampaignOver) -> Problem:
    return _conflict("campaign_over", "The campaign has ended; nothing is scheduled in it any more.")


@answers(NoLineOrPersona)
def _nobody_to_call(_: NoLineOrPersona) -> Problem:
    return _conflict("no_line_or_persona", "Nothing says who is to call over which line; name a persona.")


@answers(AlreadyPending)
def _already_pending(error: AlreadyPending) -> Problem:
    return _conflict(
        "already_pending",
        f"Callback {error.callback_id} is pending for this contact; `replace: true` replaces a retry, never a promise.",
        callback_id=error.callback_id,
    )


def _conflict(code: str, message: str, **details: object) -> Problem:
    return Problem(status=409, code=code, message=message, details=details)

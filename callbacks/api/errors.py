"""Maps refusals of the callback queue to problems of the API."""

from callbacks.analytics import FiguresTookTooLong
from callbacks.refusals import Refused
from dialer.workspaces.api.errors import Problem, answers, conflict


@answers(Refused)
def _refused(error: Refused) -> Problem:
    text = str(error)
    return conflict(error.code, f"{text[:1].upper()}{text[1:]}.", **error.details)


@answers(FiguresTookTooLong)
def _took_too_long(error: FiguresTookTooLong) -> Problem:
    return Problem(status=503, code="took_too_long", message=str(error), headers={"Retry-After": "60"})

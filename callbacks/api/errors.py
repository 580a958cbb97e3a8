"""Maps refusals of the callback queue to problems of the API."""

from callbacks.analytics import FiguresAsked, NoFigures
from callbacks.refusals import CODES, Refused
from dialer.workspaces.api.errors import Problem, answers, conflict


@answers(Refused, conflicts_with=CODES)
def _refused(error: Refused) -> Problem:
    text = str(error)
    return conflict(error.code, f"{text[:1].upper()}{text[1:]}.", **error.details)


@answers(NoFigures, unavailable_as=["busy", "took_too_long"])
def _no_figures(error: NoFigures) -> Problem:
    code, seconds = ("busy", 5) if isinstance(error, FiguresAsked) else ("took_too_long", 60)
    return Problem(status=503, code=code, message=str(error), headers={"Retry-After": str(seconds)})

"""Maps refusals of the callback queue to problems of the API."""

from callbacks.refusals import CODES, Refused
from dialer.workspaces.api.errors import Problem, answers, conflict


@answers(Refused, conflicts_with=CODES)
def _refused(error: Refused) -> Problem:
    text = str(error)
    return conflict(error.code, f"{text[:1].upper()}{text[1:]}.", **error.details)

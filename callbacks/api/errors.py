"""What a refusal of the callback queue means to a client."""

from callbacks.refusals import Refused
from dialer.workspaces.api.errors import Problem, answers


@answers(Refused)
def _refused(error: Refused) -> Problem:
    text = str(error)
    return Problem(status=409, code=error.code, message=f"{text[:1].upper()}{text[1:]}.", details=error.details)

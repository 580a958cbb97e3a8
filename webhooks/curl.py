"""A delivery as a curl command that sends the receiver the same request.

The headers are computed again for the time of the newest attempt. A signature is valid for one body at one time, so
showing it reveals no secret. Where a secret itself would be sent, a shell variable replaces it; so it does for the
values of custom headers: ``$X_API_KEY`` for ``X-API-Key``.
"""

import re
import shlex
from collections.abc import Collection
from uuid import UUID

from webhooks import delivery as deliveries
from webhooks.models import ENCRYPTED_OF_ENDPOINT, Delivery
from webhooks.rules.statuses import SigningMethod
from webhooks.transport import Request

_IN_PLACE_OF_A_SECRET = {
    SigningMethod.BEARER: '-H "Authorization: Bearer $WEBHOOK_SECRET"',
    SigningMethod.BASIC_AUTH: '-u "$WEBHOOK_SECRET"',
}


def as_curl(delivery_id: UUID) -> str:
    """Return the newest attempt, or the first one to come, as a ``curl`` command; raises ``DoesNotExist``.

    It is signed with the current secrets. A request that cannot be signed has no signature and no custom headers.
    """
    row: Delivery = (
        Delivery.objects.select_related("event", "endpoint").defer(*ENCRYPTED_OF_ENDPOINT).get(pk=delivery_id)
    )
    method = SigningMethod(row.endpoint.signing_method)
    claimed = deliveries.newest_attempt(row)
    request = deliveries.prepare(claimed, now=row.last_attempt_at or row.created_at)
    parts = [f"curl --include --max-time {row.endpoint.timeout_seconds:g} {shlex.quote(row.endpoint.url)}"]
    if isinstance(request, Request):
        own = deliveries.custom_headers(claimed.receiver)
        parts += [
            f"-H {shlex.quote(f'{name}: {value}')}"
            for name, value in request.headers
            if name not in own and not (method.sends_secret and name == "Authorization")
        ]
        parts += _headers_with_variables(own)
    else:
        parts.append("-H 'Content-Type: application/json'")
    if method in _IN_PLACE_OF_A_SECRET:
        parts.append(_IN_PLACE_OF_A_SECRET[method])
    parts.append(f"--data-binary {shlex.quote(row.sent_body.decode())}")
    return " \\\n  ".join(parts)


def _headers_with_variables(names: Collection[str]) -> list[str]:
    """Return an argument per header, with a variable for its value; names that would share one are numbered."""
    variables: list[str] = []
    arguments: list[str] = []
    for name in names:
        variable = re.sub(r"\W|^(?=\d)", "_", name.upper())
        variables.append(variable)
        if (number := variables.count(variable)) > 1:
            variable += f"_{number}"
        arguments.append(f'-H {shlex.quote(f"{name}: ")}"${variable}"')
    return arguments

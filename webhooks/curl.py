"""A delivery as a curl command that sends the receiver the same request.

The headers are computed again for the time of the newest attempt. A signature is valid for one body at one time, so
showing it reveals no secret. Where the secret itself would be sent, a shell variable replaces it.
"""

import shlex
from uuid import UUID

from webhooks import delivery as deliveries
from webhooks.models import Delivery
from webhooks.rules.statuses import SigningMethod
from webhooks.transport import Request

_IN_PLACE_OF_A_SECRET = {
    SigningMethod.BEARER: '-H "Authorization: Bearer $WEBHOOK_SECRET"',
    SigningMethod.BASIC_AUTH: '-u "$WEBHOOK_SECRET"',
}


def as_curl(delivery_id: UUID) -> str:
    """Return the newest attempt, or the first one to come, as a ``curl`` command; raises ``DoesNotExist``.

    It is signed with the current secrets. A request that cannot be signed has no signature.
    """
    row: Delivery = (
        Delivery.objects.select_related("event", "endpoint")
        .defer("endpoint__secret", "endpoint__next_secret")
        .get(pk=delivery_id)
    )
    method = SigningMethod(row.endpoint.signing_method)
    request = deliveries.prepare(deliveries.newest_attempt(row), now=row.last_attempt_at or row.created_at)
    headers = request.headers if isinstance(request, Request) else [("Content-Type", "application/json")]
    parts = [f"curl --include --max-time {row.endpoint.timeout_seconds:g} {shlex.quote(row.endpoint.url)}"]
    parts += [
        f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in headers
        if method not in _IN_PLACE_OF_A_SECRET or name.lower() != "authorization"
    ]
    if method in _IN_PLACE_OF_A_SECRET:
        parts.append(_IN_PLACE_OF_A_SECRET[method])
    parts.append(f"--data-binary {shlex.quote(row.sent_body.decode())}")
    return " \\\n  ".join(parts)

"""Signs requests with one of five methods; HMAC adds the Standard Webhooks headers.

The single-value header carries exactly one signature, because published verifiers compare its length. Only the
Standard Webhooks header (https://www.standardwebhooks.com) may carry two, which it does while a secret is rotated.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field

from webhooks.rules.statuses import SigningMethod

_STANDARD_PREFIX = "whsec_"
_DIGESTS = {SigningMethod.HMAC_SHA256: "sha256", SigningMethod.HMAC_SHA1: "sha1"}

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of surrogate pairs, which UTF-8 cannot write."""

Headers = list[tuple[str, str]]


class Unsignable(Exception):
    """The secret does not fit the method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """How one endpoint's requests are signed; ``next_secret`` is a rotated secret that was not promoted yet."""

    method: SigningMethod
    secret: str | None = field(repr=False)
    next_secret: str | None = field(default=None, repr=False)


def sign(signer: Signer, *, body: bytes, message_id: str, timestamp: int, prefix: str) -> Headers:
    """Return the headers that sign ``body`` at ``timestamp`` (Unix seconds); raises :class:`Unsignable`.

    ``message_id`` is the same for all retries; ``timestamp`` is that of the attempt.
    """
    if signer.method is SigningMethod.NONE:
        return []
    if not signer.secret:
        message = "there is no secret"
        raise Unsignable(message)
    if signer.method is SigningMethod.BEARER:
        return [("Authorization", f"Bearer {signer.secret}")]
    if signer.method is SigningMethod.BASIC_AUTH:
        return [("Authorization", f"Basic {base64.b64encode(signer.secret.encode()).decode()}")]
    name = _DIGESTS[signer.method]
    signed = f"{timestamp}.".encode() + body
    own = hmac.digest(signer.secret.encode(), signed, name).hex()
    standard = f"{message_id}.".encode() + signed
    secrets = [secret for secret in (signer.secret, signer.next_secret) if secret]
    return [
        (f"{prefix}-Signature", f"{name}={own}"),
        (f"{prefix}-Timestamp", str(timestamp)),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(_standard_signature(secret, standard) for secret in secrets)),
    ]


def standard_key(secret: str) -> bytes:
    """Return the key that Standard Webhooks libraries use: base64 after ``whsec_``, else the secret's bytes.

    Raises :class:`Unsignable` if ``whsec_`` is not followed by base64.
    """
    if not secret.startswith(_STANDARD_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"a secret that begins with {_STANDARD_PREFIX} must continue in base64"
        raise Unsignable(message) from error
    if not key:
        message = "the secret is empty"
        raise Unsignable(message)
    return key


def standard_form(secret: str) -> str:
    """Return the secret in the form that Standard Webhooks libraries expect."""
    return _STANDARD_PREFIX + base64.b64encode(standard_key(secret)).decode()


def secret_error(method: SigningMethod, secret: str) -> str | None:
    """Return why a secret is invalid for a method; ``None`` if it is valid."""
    if not secret or _UNSENDABLE.search(secret):
        return "must be a text without control characters"
    if method is SigningMethod.BEARER and not (secret.isascii() and " " not in secret):
        return "must be ASCII without spaces for bearer"
    if method is SigningMethod.BASIC_AUTH and ":" not in secret:
        return "must be user:password for basic_auth"
    if method.is_hmac:
        try:
            standard_key(secret)
        except Unsignable as error:
            return str(error)
    return None


def _standard_signature(secret: str, signed: bytes) -> str:
    digest = hmac.digest(standard_key(secret), signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"

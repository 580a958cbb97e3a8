"""How the simulated carrier signs its reports: HMAC-SHA256 over the timestamp, a dot, and the body."""

import hashlib
import hmac

TIMESTAMP_HEADER = "X-Carrier-Timestamp"
SIGNATURE_HEADER = "X-Carrier-Signature"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature in hexadecimal; ``timestamp`` is the header's text: whole seconds since 1970."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
import standardwebhooks

from webhooks.rules.signature import Signer, Unsignable, secret_error, sign, standard_form
from webhooks.rules.statuses import SigningMethod

BODY = '{"event":"call.ended","name":"Zoë"}'.encode()
SECRET = "your-secret-key"  # noqa: S105
PREFIX = "X-Kejue"


def signed(method: SigningMethod, secret: str | None = SECRET, next_secret: str | None = None) -> dict[str, str]:
    signer = Signer(method=method, secret=secret, next_secret=next_secret)
    headers = sign(signer, body=BODY, message_id="evt_1", timestamp=now(), prefix=PREFIX)
    assert len({name for name, _ in headers}) == len(headers)
    return dict(headers)


def now() -> int:
    return int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize("method", [SigningMethod.HMAC_SHA256, SigningMethod.HMAC_SHA1])
def test_the_published_verifier_accepts_exactly_one_signature_over_timestamp_and_body(method: SigningMethod) -> None:
    headers = signed(method, next_secret="another")  # noqa: S106

    name = method.removeprefix("hmac_")
    over = headers["X-Kejue-Timestamp"] + "." + BODY.decode()
    expected = hmac.new(SECRET.encode(), over.encode(), name).hexdigest()
    assert headers["X-Kejue-Signature"] == f"{name}={expected}"


@pytest.mark.parametrize("method", [SigningMethod.HMAC_SHA256, SigningMethod.HMAC_SHA1])
@pytest.mark.parametrize("secret", [SECRET, "whsec_" + base64.b64encode(b"k" * 24).decode()])
def test_the_library_of_standard_webhooks_verifies_hmac_endpoints(method: SigningMethod, secret: str) -> None:
    headers = signed(method, secret)

    assert standardwebhooks.Webhook(standard_form(secret)).verify(BODY, headers) == json.loads(BODY)
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        standardwebhooks.Webhook(standard_form(secret)).verify(BODY + b" ", headers)


def test_while_a_secret_is_rotated_both_verify_and_the_single_value_header_keeps_the_old_one() -> None:
    headers = signed(SigningMethod.HMAC_SHA256, SECRET, "the-new-one")

    for secret in (SECRET, "the-new-one"):
        assert standardwebhooks.Webhook(standard_form(secret)).verify(BODY, headers)
    assert headers["X-Kejue-Signature"] == signed(SigningMethod.HMAC_SHA256)["X-Kejue-Signature"]


def test_a_whsec_secret_signs_the_single_value_header_with_its_text() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()

    headers = signed(SigningMethod.HMAC_SHA256, secret)

    over = headers["X-Kejue-Timestamp"].encode() + b"." + BODY
    assert headers["X-Kejue-Signature"] == "sha256=" + hmac.new(secret.encode(), over, hashlib.sha256).hexdigest()


def test_bearer_basic_and_none_send_what_they_say_and_no_more() -> None:
    assert signed(SigningMethod.BEARER) == {"Authorization": f"Bearer {SECRET}"}
    assert signed(SigningMethod.BASIC_AUTH, "user:pass") == {"Authorization": "Basic dXNlcjpwYXNz"}
    assert signed(SigningMethod.NONE, None) == {}


def test_signing_without_a_secret_is_refused() -> None:
    with pytest.raises(Unsignable):
        signed(SigningMethod.HMAC_SHA256, None)


def test_a_signer_does_not_show_its_secrets() -> None:
    assert SECRET not in repr(Signer(method=SigningMethod.BEARER, secret=SECRET, next_secret=SECRET))


@pytest.mark.parametrize(
    ("method", "secret"),
    [
        (SigningMethod.HMAC_SHA256, ""),
        (SigningMethod.HMAC_SHA256, "line\nbreak"),
        (SigningMethod.HMAC_SHA256, "nul\x00"),
        (SigningMethod.HMAC_SHA256, "half \ud800"),
        (SigningMethod.HMAC_SHA256, "whsec_not base64!"),
        (SigningMethod.HMAC_SHA256, "whsec_"),
        (SigningMethod.BEARER, "two words"),
        (SigningMethod.BEARER, "schlüssel"),
        (SigningMethod.BASIC_AUTH, "no-colon"),
    ],
)
def test_a_secret_that_cannot_be_sent_or_verified_is_refused(method: SigningMethod, secret: str) -> None:
    assert secret_error(method, secret)


@pytest.mark.parametrize(
    ("method", "secret"),
    [
        (SigningMethod.HMAC_SHA1, "schlüssel mit Leerzeichen"),
        (SigningMethod.BEARER, "token"),
        (SigningMethod.BASIC_AUTH, "user:pass:word"),
    ],
)
def test_a_secret_that_fits_its_method_is_taken(method: SigningMethod, secret: str) -> None:
    assert secret_error(method, secret) is None

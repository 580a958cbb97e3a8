import pytest

from webhooks.rules.custom_headers import headers_error
from webhooks.rules.statuses import SigningMethod


def why_not(headers: object, method: SigningMethod = SigningMethod.HMAC_SHA256) -> str | None:
    return headers_error(headers, method=method, prefix="X-Kejue")


def test_headers_for_a_receivers_gateway_are_taken() -> None:
    assert why_not({"X-Api-Key": "abc", "Authorization": "Basic dXNlcjpwYXNz"}) is None
    assert why_not({}) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        {"X Key": "a"},
        {"X-Key\r\nX-Evil": "a"},
        {"X-Key": "a\r\nX-Evil: b"},
        {"X-Key": "schlüssel"},
        {"X-Key": 7},
        {"X-Key": "a" * 1001},
        {"": "a"},
        {"Host": "evil.example"},
        {"content-length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"x-kejue-signature": "sha256=00"},
        {"Webhook-Id": "evt_1"},
        {"Webhook-Signature": "v1,AAAA"},
        {"Webhook-Timestamp": "0"},
        {"Proxy-Authorization": "a"},
        {f"X-{number}": "a" for number in range(21)},
    ],
)
def test_headers_that_are_ours_or_no_headers_at_all_are_refused(headers: object) -> None:
    assert why_not(headers)


@pytest.mark.parametrize("method", [SigningMethod.BEARER, SigningMethod.BASIC_AUTH])
def test_authorization_is_ours_where_it_carries_the_secret(method: SigningMethod) -> None:
    assert why_not({"Authorization": "x"}, method)

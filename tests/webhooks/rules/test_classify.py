import pytest

from webhooks.rules.classify import Failure, Verdict, classify, error_name


@pytest.mark.parametrize("status", [200, 201, 204, 299])
@pytest.mark.parametrize("failure", [None, Failure.TIMEOUT, Failure.RESET, Failure.PROTOCOL, Failure.BODY_CUT])
def test_a_2xx_status_line_is_delivered_whatever_the_body_does(status: int, failure: Failure | None) -> None:
    assert classify(status=status, failure=failure) is Verdict.DELIVERED


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_5xx_is_tried_again(status: int) -> None:
    assert classify(status=status, failure=None) is Verdict.RETRY


@pytest.mark.parametrize("status", [300, 301, 307, 400, 401, 404, 408, 410, 425, 429, 600, 999])
def test_any_other_status_is_final(status: int) -> None:
    assert classify(status=status, failure=Failure.TIMEOUT) is Verdict.FAILED


def test_retry_on_makes_a_status_one_that_is_tried_again() -> None:
    assert classify(status=429, failure=None, retry_on=[408, 429]) is Verdict.RETRY


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [
        (Failure.TIMEOUT, Verdict.RETRY),
        (Failure.DNS, Verdict.RETRY),
        (Failure.CONNECT, Verdict.RETRY),
        (Failure.RESET, Verdict.RETRY),
        (Failure.PROTOCOL, Verdict.RETRY),
        (Failure.CERTIFICATE, Verdict.FAILED),
        (Failure.FORBIDDEN_ADDRESS, Verdict.FAILED),
        (Failure.BAD_URL, Verdict.FAILED),
        (Failure.UNSIGNABLE, Verdict.FAILED),
    ],
)
def test_without_a_status_line_only_what_cannot_get_better_is_final(failure: Failure, verdict: Verdict) -> None:
    assert classify(status=None, failure=failure) is verdict


def test_errors_are_named_by_the_status_or_by_what_went_wrong() -> None:
    assert error_name(status=503, failure=Failure.TIMEOUT) == "http_503"
    assert error_name(status=None, failure=Failure.DNS) == "dns"
    assert error_name(status=200, failure=Failure.RESET) == "reset"
    assert error_name(status=200, failure=None) == ""

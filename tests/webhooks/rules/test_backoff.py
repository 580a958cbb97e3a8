from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.rules.backoff import MAX_RETRY_AFTER, parse_retry_after, wait_before_retry

HALF = timedelta(milliseconds=500)
NOW = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)


def test_waits_double_from_the_backoff() -> None:
    waits = [wait_before_retry(failures=n, backoff=HALF, dice=0, retry_after=None) for n in (1, 2, 3)]

    assert waits == [timedelta(seconds=0.5), timedelta(seconds=1), timedelta(seconds=2)]


@given(dice=st.floats(0, 1, exclude_max=True), failures=st.integers(1, 15), hint=st.timedeltas() | st.none())
def test_jitter_adds_at_most_a_fifth_and_a_hint_only_lengthens_to_an_hour(
    dice: float, failures: int, hint: timedelta | None
) -> None:
    base = HALF * 2 ** (failures - 1)

    wait = wait_before_retry(failures=failures, backoff=HALF, dice=dice, retry_after=hint)

    assert base <= wait <= max(base * 1.2, min(hint, MAX_RETRY_AFTER) if hint else base)
    assert hint is None or wait >= min(hint, MAX_RETRY_AFTER)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Wed, 15 Jan 2025 10:31:00 GMT", 60),
        ("99999999999999999999", 3600),
        ("31536000", 31536000),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(text: str, seconds: int) -> None:
    assert parse_retry_after(text, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", [None, "", "0", "-5", "1e99", "soon", "٣", "Wed, 15 Jan 2025 10:29:00 GMT", "Wed, 99 Jan 2025 10:29:00 GMT"]
)
def test_a_retry_after_that_asks_for_no_wait_or_is_garbage_is_none(text: str | None) -> None:
    assert parse_retry_after(text, now=NOW) is None

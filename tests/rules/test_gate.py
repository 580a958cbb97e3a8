"""The last look before dialling: a force passes the checks it names, and no other."""

from datetime import timedelta

import pytest

from dialer.rules.contact_limits import ContactLimit, Handed
from dialer.rules.gate import Candidate, Go, Hold, Verdict, judge
from dialer.rules.openings import Terms
from dialer.rules.time_zones import ContactZones, Fallback
from dialer.rules.window_settings import window_in_force
from tests.factories import BERLIN, NOW

HOUR = timedelta(hours=1)
EVENING = NOW + 11 * HOUR
"""22:00 in Berlin: closed until 09:00."""


def judged(*, forced: set[str], limit_hours: int, called_hours_ago: int, at_evening: bool) -> Verdict:
    now = EVENING if at_evening else NOW
    candidate = Candidate(
        due_at=now,
        not_after=None,
        terms=Terms(
            window=window_in_force(call={}, campaign={}, workspace={}, country=None),
            contact=ContactZones(zones=(BERLIN,), source="contact"),
            fallback=Fallback(zone=BERLIN, source="workspace"),
            ring_timeout=timedelta(seconds=30),
            limits=(ContactLimit(max=1, period=limit_hours * HOUR, scope="number"),),
            campaign_id=None,
        ),
        is_suppressed=False,
        is_contact_gone=False,
        is_contact_busy=False,
        campaign_status="running",
        line_down_until=None,
        forced=frozenset(forced),
    )
    return judge(candidate, ledger=[Handed(at=now - called_hours_ago * HOUR, campaign_id=None)], now=now)


def test_a_call_forced_past_the_window_still_keeps_the_limit() -> None:
    # The limit would be kept at the next opening, but it is now that the operator calls.
    verdict = judged(forced={"outside_window"}, limit_hours=4, called_hours_ago=1, at_evening=True)

    assert verdict == Hold(reason="contact_limit", due_at=EVENING + 3 * HOUR)


def test_a_call_forced_past_the_limit_is_not_held_for_the_hour_at_which_the_limit_ends() -> None:
    # The limit ends at 22:00, when the window is closed.
    assert judged(forced={"contact_limit"}, limit_hours=12, called_hours_ago=1, at_evening=False) == Go()


def test_a_call_forced_past_the_limit_still_keeps_the_window() -> None:
    verdict = judged(forced={"contact_limit"}, limit_hours=24, called_hours_ago=1, at_evening=True)

    assert verdict == Hold(reason="outside_window", due_at=EVENING + 11 * HOUR)


@pytest.mark.parametrize("at_evening", [True, False])
def test_a_call_forced_past_both_goes(at_evening: bool) -> None:  # noqa: FBT001
    forced = {"contact_limit", "outside_window"}

    assert judged(forced=forced, limit_hours=24, called_hours_ago=1, at_evening=at_evening) == Go()

"""The last look before dialling: a force passes the checks it names, and no other."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dialer.rules.contact_limits import ContactLimit, Handed
from dialer.rules.eligibility import (
    BUSY_CONTACT_WAIT,
    CLOCK_TOLERANCE,
    Candidate,
    Drop,
    Eligibility,
    Go,
    Hold,
    eligibility_of,
)
from dialer.rules.openings import Terms
from dialer.rules.time_zones import ContactZones, Fallback
from dialer.rules.waits import Waits
from dialer.rules.window_settings import window_in_force
from dialer.rules.withdrawals import Withdrawal
from tests.factories import BERLIN, NOW

HOUR = timedelta(hours=1)
EVENING = NOW + 11 * HOUR
"""22:00 in Berlin: closed until 09:00."""


def candidate_of(**fields: Any) -> Candidate:
    """Return a call that may go now but for what is named."""
    return replace(
        Candidate(
            due_at=NOW,
            not_after=None,
            terms=Terms(
                window=window_in_force(call={}, campaign={}, workspace={}, country=None),
                contact=ContactZones(zones=(BERLIN,), source="contact"),
                fallback=Fallback(zone=BERLIN, source="workspace"),
                ring_timeout=timedelta(seconds=30),
                limits=(),
                campaign_id=None,
            ),
            is_suppressed=False,
            is_contact_gone=False,
            is_contact_busy=False,
            campaign_status="running",
            line_down_until=None,
            forced=frozenset(),
        ),
        **fields,
    )


def judged(*, forced: set[str], limit_hours: int, called_hours_ago: int, at_evening: bool) -> Eligibility:
    now = EVENING if at_evening else NOW
    candidate = candidate_of(due_at=now, forced=frozenset(forced))
    limits = (ContactLimit(max=1, period=limit_hours * HOUR, scope="number"),)
    candidate = replace(candidate, terms=replace(candidate.terms, limits=limits))
    return eligibility_of(candidate, ledger=[Handed(at=now - called_hours_ago * HOUR, campaign_id=None)], now=now)


def test_a_call_forced_past_the_window_still_keeps_the_limit() -> None:
    # The limit would be kept at the next opening, but it is now that the operator calls.
    answer = judged(forced={"outside_window"}, limit_hours=4, called_hours_ago=1, at_evening=True)

    assert answer == Hold(reason=Waits.CONTACT_LIMIT, due_at=EVENING + 3 * HOUR)


def test_a_call_forced_past_the_limit_is_not_held_for_the_hour_at_which_the_limit_ends() -> None:
    # The limit ends at 22:00, when the window is closed.
    assert judged(forced={"contact_limit"}, limit_hours=12, called_hours_ago=1, at_evening=False) == Go()


def test_a_call_forced_past_the_limit_still_keeps_the_window() -> None:
    answer = judged(forced={"contact_limit"}, limit_hours=24, called_hours_ago=1, at_evening=True)

    assert answer == Hold(reason=Waits.OUTSIDE_WINDOW, due_at=EVENING + 11 * HOUR)


@pytest.mark.parametrize("at_evening", [True, False])
def test_a_call_forced_past_both_goes(at_evening: bool) -> None:  # noqa: FBT001
    forced = {"contact_limit", "outside_window"}

    assert judged(forced=forced, limit_hours=24, called_hours_ago=1, at_evening=at_evening) == Go()


INSTANT = timedelta(microseconds=1)
ALL_CHECKS = frozenset({"outside_window", "contact_limit", "campaign_paused"})


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, Go()),
        ({"due_at": NOW + CLOCK_TOLERANCE}, Go()),
        ({"due_at": NOW + CLOCK_TOLERANCE + INSTANT}, Hold(reason=Waits.EARLY, due_at=NOW + CLOCK_TOLERANCE + INSTANT)),
        ({"not_after": NOW}, Go()),
        ({"not_after": NOW - INSTANT}, Hold(reason=Waits.STALE, due_at=NOW)),
        ({"is_contact_busy": True}, Hold(reason=Waits.CONTACT_BUSY, due_at=NOW + BUSY_CONTACT_WAIT)),
        ({"line_down_until": NOW}, Go()),
        ({"line_down_until": NOW + HOUR}, Hold(reason=Waits.CARRIER_DOWN, due_at=NOW + HOUR)),
        ({"campaign_status": None}, Go()),
        ({"campaign_status": "paused"}, Hold(reason=Waits.CAMPAIGN_PAUSED, due_at=NOW)),
        ({"campaign_status": "draft"}, Hold(reason=Waits.CAMPAIGN_PAUSED, due_at=NOW)),
        ({"campaign_status": "completed"}, Drop(reason=Withdrawal.CAMPAIGN_ENDED)),
        ({"campaign_status": "cancelled"}, Drop(reason=Withdrawal.CAMPAIGN_ENDED)),
        ({"campaign_status": "failed"}, Drop(reason=Withdrawal.CAMPAIGN_ENDED)),
        ({"is_suppressed": True}, Drop(reason=Withdrawal.SUPPRESSED)),
        ({"is_contact_gone": True}, Drop(reason=Withdrawal.CONTACT_DELETED)),
    ],
)
def test_a_call_goes_waits_or_is_dropped_for_one_reason(fields: dict[str, Any], answer: Eligibility) -> None:
    assert eligibility_of(candidate_of(**fields), ledger=(), now=NOW) == answer


@pytest.mark.parametrize(
    "fields",
    [
        {"is_suppressed": True},
        {"is_contact_gone": True},
        {"is_contact_busy": True},
        {"campaign_status": "cancelled"},
        {"line_down_until": NOW + HOUR},
    ],
)
def test_no_force_passes_what_is_no_check_of_time(fields: dict[str, Any]) -> None:
    forced = eligibility_of(candidate_of(**fields, forced=ALL_CHECKS), ledger=(), now=NOW)

    assert forced == eligibility_of(candidate_of(**fields), ledger=(), now=NOW) != Go()


def test_only_the_force_that_names_the_pause_passes_it() -> None:
    def judged_with(*checks: str) -> Eligibility:
        return eligibility_of(candidate_of(campaign_status="paused", forced=frozenset(checks)), ledger=(), now=NOW)

    assert judged_with("campaign_paused") == Go()
    assert judged_with("outside_window", "contact_limit") == Hold(reason=Waits.CAMPAIGN_PAUSED, due_at=NOW)


def test_a_call_whose_window_never_opens_is_hopeless() -> None:
    never = window_in_force(
        call={"calling_hours": {"mon": [{"start": "09:00", "end": "10:00"}]}, "days": ["tue"]},
        campaign={},
        workspace={},
        country=None,
    )
    candidate = candidate_of()

    answer = eligibility_of(replace(candidate, terms=replace(candidate.terms, window=never)), ledger=(), now=NOW)

    assert answer == Hold(reason=Waits.OUTSIDE_WINDOW, due_at=NOW + timedelta(days=1), is_hopeless=True)

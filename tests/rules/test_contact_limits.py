"""How often a number may be called: which calls count, for how long, and which of several limits decides."""

from datetime import timedelta
from uuid import UUID

from dialer.rules.contact_limits import ContactLimit, Handed, allowed_from, limits_from, longest_period
from tests.factories import NOW

HOUR = timedelta(hours=1)
MINE, OTHER = UUID(int=1), UUID(int=2)


def limit(most: int, hours: int, scope: str = "number") -> ContactLimit:
    return ContactLimit(max=most, period=hours * HOUR, scope=scope)


def handed(hours_ago: float, campaign_id: UUID | None = MINE) -> Handed:
    return Handed(at=NOW - hours_ago * HOUR, campaign_id=campaign_id)


def test_a_limit_of_a_campaign_counts_the_calls_of_that_campaign_alone() -> None:
    elsewhere = [handed(1, OTHER), handed(2, None)]
    per_campaign = [limit(1, 24, "campaign")]

    assert allowed_from(per_campaign, ledger=elsewhere, campaign_id=MINE, at=NOW) == NOW
    assert allowed_from(per_campaign, ledger=[*elsewhere, handed(3)], campaign_id=MINE, at=NOW) == NOW + 21 * HOUR


def test_a_limit_of_a_number_counts_the_calls_of_all_campaigns() -> None:
    elsewhere = [handed(1, OTHER), handed(2, None)]

    assert allowed_from([limit(2, 24)], ledger=elsewhere, campaign_id=MINE, at=NOW) == NOW + 22 * HOUR


def test_a_call_counts_until_its_period_is_over_to_the_instant() -> None:
    one_a_day = [limit(1, 24)]

    assert allowed_from(one_a_day, ledger=[handed(24)], campaign_id=None, at=NOW) == NOW
    just_before = Handed(at=NOW - 24 * HOUR + timedelta(microseconds=1), campaign_id=None)
    wait = timedelta(microseconds=1)
    assert allowed_from(one_a_day, ledger=[just_before], campaign_id=None, at=NOW) == NOW + wait


def test_the_last_calls_count_whatever_the_order_of_the_ledger() -> None:
    ledger = [handed(5), handed(1), handed(40), handed(3)]

    assert allowed_from([limit(2, 4)], ledger=ledger, campaign_id=None, at=NOW) == NOW + HOUR
    assert allowed_from([limit(3, 4)], ledger=ledger, campaign_id=None, at=NOW) == NOW


def test_of_several_limits_the_one_that_lasts_longest_decides() -> None:
    ledger = [handed(1), handed(5)]

    for limits in ([limit(1, 2), limit(2, 24)], [limit(2, 24), limit(1, 2)]):
        assert allowed_from(limits, ledger=ledger, campaign_id=None, at=NOW) == NOW + 19 * HOUR


def test_the_longest_period_is_found_wherever_it_stands() -> None:
    assert longest_period([limit(1, 1), limit(7, 168), limit(3, 24)]) == 168 * HOUR
    assert longest_period([]) == timedelta()


def test_the_limits_of_workspace_and_campaign_hold_together() -> None:
    day = {"max": 3, "period_hours": 24, "scope": "number"}
    hour = {"max": 1, "period_hours": 1, "scope": "campaign"}

    assert limits_from([day], [hour]) == (limit(3, 24), limit(1, 1, "campaign"))
    assert limits_from(None, [hour]) == (limit(1, 1, "campaign"),)
    assert limits_from(None, None) == ()

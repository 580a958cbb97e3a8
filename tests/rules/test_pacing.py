"""Pace and slots as values: no second has more starts than it may, nobody starves, the urgent comes first."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dialer.rules.pacing import Budget, Owner, in_turn, weight
from dialer.rules.statuses import Rank
from tests.factories import NOW

SECOND = timedelta(seconds=1)
WORKSPACE = UUID(int=0)
ONE_IN_FIVE = 0.2
Weights = Mapping[UUID | None, float]

PACE = st.one_of(st.none(), st.floats(0.01, 50), st.sampled_from([0.2, 1, 3, 7, 1 / 3]))
SLOTS = st.none() | st.integers(1, 6)
OWNERS = st.lists(st.tuples(PACE, SLOTS), min_size=1, max_size=3).map(
    lambda limits: [
        Owner(id=UUID(int=n), calls_per_second=pace, max_concurrent_calls=slots)
        for n, (pace, slots) in enumerate(limits, start=1)
    ]
)
ASKED = st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 2_000)), min_size=1, max_size=60)
"""Milliseconds after the start of everything at which somebody is due, and how far ahead the claim looks."""


def most_within(starts: list[datetime], period: timedelta) -> int:
    """Count the starts within any half-open stretch of time that long."""
    return max((sum(first <= start < first + period for start in starts) for first in starts), default=0)


@given(OWNERS, ASKED)
def test_no_stretch_of_time_has_more_starts_than_the_smallest_pace_allows(
    owners: list[Owner], asked: list[tuple[int, int]]
) -> None:
    budget = Budget(next_free_at={})
    dues = [(NOW + timedelta(milliseconds=due), timedelta(milliseconds=ahead)) for due, ahead in asked]
    taken = [budget.take(owners, due_at=due, until=due + ahead) for due, ahead in dues]

    starts = [start for start in taken if start is not None]
    for (due, ahead), start in zip(dues, taken, strict=True):
        assert start is None or due <= start <= due + ahead
    for pace in (owner.calls_per_second for owner in owners):
        for seconds in (1, 5):
            assert pace is None or most_within(starts, seconds * SECOND) <= math.ceil(pace * seconds)
    for slots in (owner.max_concurrent_calls for owner in owners):
        assert slots is None or len(starts) <= slots


@given(OWNERS, ASKED)
def test_room_is_never_less_than_what_can_be_taken_before_the_same_time(
    owners: list[Owner], asked: list[tuple[int, int]]
) -> None:
    budget = Budget(next_free_at={})
    for due, ahead in asked:
        now = NOW + timedelta(milliseconds=due)
        until = now + timedelta(milliseconds=ahead)
        capacity = budget.capacity(owners, now=now, until=until, limit=20)
        starts = [budget.take(owners, due_at=now, until=until) for _ in range(20)]
        assert sum(start is not None for start in starts) == capacity


def test_a_start_that_was_refused_takes_nothing_from_anybody() -> None:
    free = Owner(id=UUID(int=1), calls_per_second=1.0, max_concurrent_calls=None)
    full = Owner(id=UUID(int=2), calls_per_second=None, max_concurrent_calls=1)
    budget = Budget(next_free_at={}, in_use={full.id: 1})

    assert budget.take([free, full], due_at=NOW, until=NOW) is None
    assert budget.take([free], due_at=NOW, until=NOW) == NOW


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the order asks of a claimed row."""

    rank: Rank
    due_at: datetime
    id: UUID
    campaign_id: UUID | None = None
    workspace_id: UUID = WORKSPACE


def rows(rank: Rank, count: int, *, campaign: int = 1, due_at: datetime = NOW) -> list[Row]:
    return [
        Row(
            rank=rank,
            due_at=due_at,
            id=UUID(int=campaign * 10_000 + rank * 1_000 + n),
            campaign_id=UUID(int=campaign),
        )
        for n in range(count)
    ]


def ordered(*groups: list[Row], weights: Weights | None = None, now: datetime = NOW) -> list[Row]:
    return in_turn([row for group in groups for row in group], weights=weights or {}, now=now)


def test_an_operators_call_comes_before_promises_and_promises_by_their_time_before_retries_and_new_contacts() -> None:
    overdue = rows(Rank.PROMISED, 1, due_at=NOW - 9 * SECOND)
    due = rows(Rank.PROMISED, 1, campaign=2)
    now, retry, new = rows(Rank.CALL_NOW, 1), rows(Rank.RETRY, 1), rows(Rank.NEW, 1)

    found = ordered(new, retry, due, now, overdue)

    assert found[:3] == [*now, *overdue, *due]
    assert set(found[3:]) == {*retry, *new}


def test_what_is_not_due_yet_holds_up_nothing_that_is() -> None:
    ahead = rows(Rank.PROMISED, 2, due_at=NOW + SECOND)
    later = rows(Rank.RETRY, 1, due_at=NOW + 2 * SECOND)
    due = rows(Rank.NEW, 2)

    assert ordered(later, ahead, due)[2:] == [*ahead, *later]


def test_what_falls_due_at_one_later_instant_is_ordered_by_rank() -> None:
    soon = NOW + SECOND
    groups = [rows(rank, 2, due_at=soon, campaign=9 - rank) for rank in sorted(Rank)]

    assert ordered(*reversed(groups)) == [row for group in groups for row in group]


@given(st.integers(0, 10_000))
def test_of_many_retries_and_new_contacts_about_one_call_in_five_is_a_new_one(second: int) -> None:
    found = ordered(rows(Rank.RETRY, 100), rows(Rank.NEW, 100), now=NOW + second * SECOND)

    first = sum(row.rank == Rank.NEW for row in found[:100])
    # Where turns begin is left to chance, so that a few more or fewer are new.
    assert abs(first - 100 * ONE_IN_FIVE) <= 12


def first_of_claims(*groups: list[Row], weights: Weights | None = None) -> Counter[Row]:
    """Count who is first, claim after claim with room for one."""
    return Counter(ordered(*groups, weights=weights, now=NOW + n * SECOND)[0] for n in range(2_000))


def test_with_room_for_one_at_a_time_new_contacts_still_have_their_share() -> None:
    (retry,), (new,) = rows(Rank.RETRY, 1), rows(Rank.NEW, 1)

    assert abs(first_of_claims([retry], [new])[new] / 2_000 - ONE_IN_FIVE) < 0.04


def test_with_room_for_one_at_a_time_campaigns_take_turns() -> None:
    groups = [rows(Rank.RETRY, 3, campaign=campaign) for campaign in (1, 2, 3, 4)]

    firsts = first_of_claims(*groups)

    assert all(abs(firsts[group[0]] / 2_000 - 1 / 4) < 0.04 for group in groups)


def test_ten_more_of_priority_is_twice_as_many_turns_and_nobody_is_starved() -> None:
    low, high = rows(Rank.RETRY, 100, campaign=1), rows(Rank.RETRY, 100, campaign=2)
    weights: Weights = {UUID(int=1): weight(0), UUID(int=2): weight(10)}

    assert abs(first_of_claims(low, high, weights=weights)[high[0]] / 2_000 - 2 / 3) < 0.04
    taken = ordered(low, high, weights=weights)[:90]
    assert 50 <= sum(row in high for row in taken) <= 70

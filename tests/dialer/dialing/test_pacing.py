"""Pace and slots over the claim, second by second: who may start how many calls, and who is first."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from dialer.calls import call_states
from dialer.campaigns import lifecycle
from dialer.dialing import claim
from dialer.dialing.claim import Dispatched
from dialer.models import Call, Campaign
from dialer.rules.statuses import Rank
from dialer.setup import lines, workspace_settings
from dialer.workspaces.audit import SYSTEM
from tests.concurrency.interleaving import threads
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_workspace,
)
from tests.in_process_carrier import InProcessCarrier
from tests.pipeline import carrier, dial, end_all

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["carrier"]

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def campaign_of(contacts: int, *, due_at: datetime = NOW, **fields: object) -> Campaign:
    campaign = make_campaign(**{"schedule": ROUND_THE_CLOCK, **fields})  # type: ignore[arg-type]
    for _ in range(contacts):
        make_campaign_contact(campaign, due_at=due_at)
    return campaign


def retries_of(campaign: Campaign, count: int, *, due_at: datetime = NOW) -> None:
    for _ in range(count):
        make_call(
            campaign_contact=make_campaign_contact(campaign, state="callback_pending"), rank=Rank.RETRY, due_at=due_at
        )


def claims(seconds: int, *, began: datetime = NOW, limit: int = 500) -> list[Dispatched]:
    """Claim once a second."""
    return [call for n in range(seconds) for call in claim.claim_due(limit=limit, now=began + n * SECOND)]


def most_within(claimed: Iterable[Dispatched], period: timedelta) -> int:
    starts = [call.start_at for call in claimed]
    return max((sum(first <= start < first + period for start in starts) for first in starts), default=0)


def campaigns_of(claimed: Iterable[Dispatched]) -> Counter[UUID | None]:
    campaign_of_call = dict(Call.objects.values_list("pk", "campaign_id"))
    return Counter(campaign_of_call[call.call_id] for call in claimed)


def test_two_dispatchers_together_start_no_more_in_any_second_than_the_pace() -> None:
    campaign_of(60, calls_per_second=3.0)
    claimed: list[Dispatched] = []
    with threads({}) as run:
        for tick in range(10):
            # Each has its own clock, and they are never quite together.
            nows = [NOW + tick * SECOND + offset * timedelta(milliseconds=300) for offset in (0, 1)]
            both = [run.start(partial(claim.claim_due, limit=500, now=now)) for now in nows]
            claimed += [call for one in both for call in one.result()]

    assert most_within(claimed, SECOND) == 3
    assert len(claimed) >= 3 * 10
    assert len({call.call_id for call in claimed}) == len(claimed)


def test_a_fifth_of_a_call_a_second_is_one_call_in_five_seconds() -> None:
    campaign_of(10, calls_per_second=0.2)

    starts = sorted(call.start_at for call in claims(21))

    assert starts == [NOW + 5 * n * SECOND for n in range(len(starts))]
    assert len(starts) == 5


@pytest.mark.parametrize("tightest", ["campaign", "line", "workspace"])
def test_the_smallest_pace_of_campaign_line_and_workspace_holds(tightest: str) -> None:
    paces = {"campaign": 5.0, "line": 5.0, "workspace": 5.0, tightest: 2.0}
    workspace = make_workspace(calls_per_second=paces["workspace"])
    line = make_line(workspace, calls_per_second=paces["line"])
    campaign_of(30, workspace=workspace, line=line, calls_per_second=paces["campaign"])

    claimed = claims(6)

    assert most_within(claimed, SECOND) == 2
    assert len(claimed) >= 2 * 6


@pytest.mark.parametrize("tightest", ["campaign", "line", "workspace"])
def test_the_smallest_number_of_slots_of_campaign_line_and_workspace_holds(tightest: str) -> None:
    slots = {"campaign": 5, "line": 5, "workspace": 5, tightest: 2}
    workspace = make_workspace(max_concurrent_calls=slots["workspace"])
    line = make_line(workspace, max_concurrent_calls=slots["line"])
    campaign_of(9, workspace=workspace, line=line, max_concurrent_calls=slots["campaign"])

    assert len(claims(3)) == 2


def test_two_campaigns_share_the_pace_and_the_slots_of_their_line() -> None:
    workspace = make_workspace()
    line = make_line(workspace, calls_per_second=2.0, max_concurrent_calls=12)
    both = [campaign_of(40, workspace=workspace, line=line) for _ in range(2)]

    claimed = claims(10)

    assert most_within(claimed, SECOND) == 2
    assert len(claimed) == 12
    assert set(campaigns_of(claimed)) == {campaign.pk for campaign in both}


def test_slots_are_held_by_claimed_and_by_live_calls_and_are_free_when_a_call_ends_or_a_lease_does(
    carrier: InProcessCarrier,
) -> None:
    campaign_of(9, max_concurrent_calls=2)

    assert len(claims(1)) == 2
    assert claims(1) == [], "both slots are claimed"
    later = NOW + HOUR
    assert call_states.release_expired(limit=10, now=later) == 2
    assert dial(later)["placed"] == 2
    assert claims(1, began=later) == [], "both slots are live"
    end_all(later, "answered")
    assert len(claims(1, began=later + HOUR)) == 2


@pytest.mark.parametrize("paused", [False, True])
def test_neither_a_window_that_opens_nor_a_campaign_that_resumes_starts_everything_at_once(paused: bool) -> None:  # noqa: FBT001
    campaign = campaign_of(20, due_at=NOW, calls_per_second=2.0)
    retries_of(campaign, 20, due_at=NOW)
    began = NOW
    if paused:
        whose = {"workspace_id": campaign.workspace_id, "actor": SYSTEM}
        claims(1)
        lifecycle.pause(campaign.pk, now=NOW, **whose)  # type: ignore[arg-type]
        began = NOW + HOUR
        lifecycle.resume(campaign.pk, now=began, **whose)  # type: ignore[arg-type]

    claimed = claims(5, began=began)

    assert most_within(claimed, SECOND) == 2
    assert all(call.start_at >= began for call in claimed)


def test_one_campaign_does_not_starve_another_where_they_share_one_start_a_second() -> None:
    workspace = make_workspace(pk=UUID(int=1), calls_per_second=1.0)
    many = [campaign_of(60, pk=UUID(int=n), workspace=workspace) for n in range(3)]

    shares = campaigns_of(claims(60))

    assert all(shares[campaign.pk] >= 10 for campaign in many), shares


def test_retries_leave_a_share_of_the_pace_to_new_contacts() -> None:
    # Turns are drawn by these ids and the time: with others, a run in a hundred has fewer.
    campaign = campaign_of(60, pk=UUID(int=1), workspace=make_workspace(pk=UUID(int=1)), calls_per_second=1.0)
    retries_of(campaign, 80)

    claimed = claims(58)

    ranks = Counter(Call.objects.filter(pk__in=[call.call_id for call in claimed]).values_list("rank", flat=True))
    assert 6 <= ranks[Rank.NEW] <= 20, ranks
    assert ranks[Rank.NEW] + ranks[Rank.RETRY] == 60


def test_promises_start_before_retries_and_those_before_new_contacts() -> None:
    campaign = campaign_of(1, calls_per_second=1.0)
    retries_of(campaign, 1)
    member = make_campaign_contact(campaign, state="callback_pending")
    make_call(campaign_contact=member, rank=Rank.PROMISED, due_at=NOW - SECOND)
    member = make_campaign_contact(campaign, state="callback_pending")
    make_call(campaign_contact=member, rank=Rank.CALL_NOW, due_at=NOW)

    claimed = sorted(claims(3), key=lambda call: call.start_at)

    ranks = dict(Call.objects.values_list("pk", "rank"))
    assert [ranks[call.call_id] for call in claimed][:2] == [Rank.CALL_NOW, Rank.PROMISED]


def test_a_promise_for_a_second_from_now_does_not_hold_up_what_is_due() -> None:
    campaign = campaign_of(4, calls_per_second=2.0)
    member = make_campaign_contact(campaign, state="callback_pending")
    make_call(campaign_contact=member, rank=Rank.PROMISED, due_at=NOW + 1.9 * SECOND)

    starts = sorted(call.start_at for call in claims(1))

    assert starts[:4] == [NOW + n * SECOND / 2 for n in range(4)]


def test_a_claim_takes_no_more_than_it_is_asked_for_and_passes_over_no_campaign() -> None:
    workspace = make_workspace()
    line = make_line(workspace)
    every = [campaign_of(3, workspace=workspace, line=line) for _ in range(12)]
    idle = [campaign_of(0, workspace=workspace, line=line) for _ in range(3)]

    batches = [claim.claim_due(limit=5, now=NOW) for _ in range(20)]

    assert max(len(batch) for batch in batches) == 5
    assert batches[-1] == []
    assert campaigns_of(call for batch in batches for call in batch) == {campaign.pk: 3 for campaign in every}
    assert idle


def test_a_promise_on_another_line_than_its_campaigns_takes_no_slot_of_the_campaigns_line() -> None:
    workspace = make_workspace()
    full = make_line(workspace, max_concurrent_calls=1)
    other = make_line(workspace, max_concurrent_calls=1)
    campaign = campaign_of(0, workspace=workspace, line=full)
    contact = make_contact(workspace)
    make_call(
        campaign_contact=make_campaign_contact(campaign, contact, state="callback_pending"),
        rank=Rank.PROMISED,
        line=other,
    )
    make_campaign_contact(campaign)

    assert len(claims(1)) == 2


@pytest.mark.parametrize("owner", ["campaign", "line", "workspace"])
def test_a_pace_that_is_raised_holds_at_once_and_not_after_the_wait_of_the_former(owner: str) -> None:
    campaign = campaign_of(9)
    rows: dict[str, Any] = {"campaign": campaign, "line": campaign.line, "workspace": campaign.workspace}
    row = rows[owner]
    type(row).objects.filter(pk=row.pk).update(calls_per_second=0.001)
    assert len(claims(2)) == 1
    about: dict[str, Any] = {"calls_per_second": 2.0, "actor": SYSTEM, "now": NOW}

    if owner == "campaign":
        lifecycle.edit(campaign.pk, workspace_id=campaign.workspace_id, **about)
    elif owner == "line":
        lines.edit_line(campaign.line_id, workspace_id=campaign.workspace_id, **about)
    else:
        workspace_settings.edit_workspace(campaign.workspace_id, **about)

    assert len(claims(1, began=NOW + 2 * SECOND)) == 5

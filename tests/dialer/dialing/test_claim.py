"""What the claim takes and what it leaves, rule by rule."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection

from dialer.calls import call_states
from dialer.dialing import capacity, claim
from dialer.models import Call, CampaignContact
from dialer.rules.forcing import forced_at
from dialer.rules.statuses import Rank
from dialer.workspaces.models import Workspace
from tests.factories import (
    NOW,
    ROUND_THE_CLOCK,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def claimed(now: datetime = NOW, *, limit: int = 500) -> Mapping[UUID, datetime]:
    """Claim; return when each call starts."""
    return {call.call_id: call.start_at for call in claim.claim_due(limit=limit, now=now)}


def a_waiting_contact(*, due_at: datetime = NOW, **fields: Any) -> CampaignContact:
    return make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK, **fields), due_at=due_at)


def a_retry(**fields: Any) -> Call:
    member = make_campaign_contact(make_campaign(schedule=ROUND_THE_CLOCK), state="callback_pending")
    return make_call(campaign_contact=member, **{"rank": Rank.RETRY, **fields})


def test_nothing_is_claimed_for_a_workspace_that_is_closed() -> None:
    member = a_waiting_contact()
    make_call(make_contact(member.workspace))
    Workspace.objects.update(closed_at=NOW)

    assert claimed() == {}

    Workspace.objects.update(closed_at=None)
    assert len(claimed()) == 2


def test_a_call_forced_past_a_pause_is_claimed_and_nothing_else_of_its_campaign() -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK, status="paused")
    make_campaign_contact(campaign)
    forced, *_ = (
        make_call(make_contact(campaign.workspace), campaign=campaign, **fields)
        for fields in (
            {"rank": Rank.CALL_NOW, "force": forced_at(NOW, ["campaign_paused"], "she waits")},
            {"rank": Rank.CALL_NOW, "force": forced_at(NOW, ["outside_window"], "she waits")},
            {"rank": Rank.CALL_NOW, "force": forced_at(NOW - timedelta(hours=1), ["campaign_paused"], "she waited")},
            {"rank": Rank.CALL_NOW},
            {"rank": Rank.RETRY},
        )
    )

    assert set(claimed()) == {forced.pk}


@pytest.mark.parametrize(("not_after", "is_claimed"), [(NOW - SECOND, False), (NOW, True)])
def test_a_stale_retry_is_not_claimed(not_after: datetime, *, is_claimed: bool) -> None:
    a_retry(due_at=NOW - timedelta(days=3), not_after=not_after)

    assert bool(claimed()) is is_claimed


def test_a_call_that_is_claimed_is_not_claimed_again() -> None:
    retry = a_retry()
    assert set(claimed()) == {retry.pk}

    other = make_call(make_contact(retry.workspace), campaign=retry.campaign, rank=Rank.RETRY)

    assert set(claimed(NOW + SECOND)) == {other.pk}


def test_a_contact_is_claimed_when_its_first_call_comes_near_and_not_before() -> None:
    due = a_waiting_contact()
    make_campaign_contact(due.campaign, due_at=NOW + 10 * SECOND)

    assert list(claimed().values()) == [NOW]
    assert claimed(NOW + 10 * SECOND - capacity.SOON - SECOND) == {}
    assert list(claimed(NOW + 10 * SECOND - capacity.SOON).values()) == [NOW + 10 * SECOND]


def test_a_call_that_is_claimed_ahead_starts_in_its_own_second() -> None:
    soon, later = (a_retry(due_at=NOW + seconds * SECOND) for seconds in (5, 9))

    assert claimed() == {soon.pk: NOW + 5 * SECOND, later.pk: NOW + 9 * SECOND}


def test_a_lease_holds_until_it_runs_out() -> None:
    a_retry(due_at=NOW + 5 * SECOND)
    claimed()
    runs_out = NOW + (5 + settings.LEASE_SECONDS) * SECOND

    assert call_states.release_expired(limit=10, now=runs_out - SECOND) == 0
    assert call_states.release_expired(limit=10, now=runs_out) == 1


@pytest.mark.parametrize("own", ["", "+4930111111"])
def test_a_first_call_shows_the_campaigns_caller_id_else_the_first_of_its_line(own: str) -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK, caller_id=own)
    campaign.line.caller_ids = ["+4930222222", "+4930111111"]
    campaign.line.save()
    make_campaign_contact(campaign)

    claimed()

    assert Call.objects.get().caller_id == (own or "+4930222222")


def test_workers_that_are_behind_are_given_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MAX_CLAIMED", 3)
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    for _ in range(9):
        make_campaign_contact(campaign)

    assert [len(claimed(limit=4)) for _ in range(3)] == [2, 1, 0]
    assert call_states.release_expired(limit=10, now=NOW + timedelta(hours=1)) == 3
    assert claimed(NOW + timedelta(hours=1), limit=4)


@pytest.mark.parametrize(("end_at", "is_claimed"), [(NOW, False), (NOW + SECOND, True)])
def test_a_campaign_whose_end_has_come_is_not_claimed_from(end_at: datetime, *, is_claimed: bool) -> None:
    a_waiting_contact(end_at=end_at)

    assert bool(claimed()) is is_claimed


def test_a_campaign_whose_line_is_down_is_not_claimed_from_until_it_may_be_tried() -> None:
    campaign = make_campaign(schedule=ROUND_THE_CLOCK)
    campaign.line = make_line(campaign.workspace, down_until=NOW + SECOND)
    campaign.save()
    make_campaign_contact(campaign)

    assert claimed() == {}
    assert len(claimed(NOW + SECOND)) == 1


def test_claimed_calls_come_in_the_order_of_their_turns() -> None:
    member = a_waiting_contact()
    promised = make_call(make_contact(member.workspace), rank=Rank.PROMISED, due_at=NOW)
    wanted = make_call(make_contact(member.workspace), rank=Rank.CALL_NOW, due_at=NOW)
    ahead = [
        make_call(make_contact(member.workspace), rank=rank, due_at=NOW + 5 * SECOND)
        for rank in (Rank.RETRY, Rank.PROMISED, Rank.CALL_NOW)
    ]

    found = list(claimed())

    assert found[:2] == [wanted.pk, promised.pk]
    assert found[3:] == [call.pk for call in reversed(ahead)]


def _rows_read(plan: dict[str, Any]) -> int:
    here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return int(here if "Relation Name" in plan else 0) + sum(map(_rows_read, plan.get("Plans", ())))


def test_a_claim_reads_no_more_of_a_queue_that_holds_many_calls_for_later() -> None:
    members = [a_waiting_contact() for _ in range(3)]
    later = make_campaign_contact(members[0].campaign, state="callback_pending")
    held = make_call(campaign_contact=later, rank=Rank.RETRY, due_at=NOW + timedelta(days=30))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dialer_call (id, workspace_id, contact_id, campaign_id, persona_id, line_id, number, caller_id,
                rank, due_at, chain_id, attempt_number, retries_used, schedule, metadata, direction, status, outcome,
                ended_reason, held_reason, generation, carrier_call_id, follow_up_pending)
            SELECT gen_random_uuid(), workspace_id, contact_id, campaign_id, persona_id, line_id, number, caller_id,
                rank, due_at, gen_random_uuid(), 1, 0, '{}', '{}', 'outbound', 'queued', '', '', '', 0, '', false
            FROM dialer_call, generate_series(1, 20000) WHERE id = %s
            """,
            [held.pk],
        )
        cursor.execute("ANALYZE dialer_call, dialer_campaigncontact")
    read: dict[str, int] = {}

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any) -> Any:
        if sql.startswith("/* ") and not re.search("INSERT INTO|UPDATE dialer", sql):
            execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params, many, context)
            ((plan,),) = context["cursor"].fetchall()
            read[sql.split()[1]] = _rows_read(plan[0]["Plan"])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert len(claimed()) == 3

    assert {name: rows for name, rows in read.items() if rows > 50} == {}

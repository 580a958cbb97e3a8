"""What works: connect rates by group, what became of promises, and how honest the figures are about small numbers."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from callbacks import analytics
from callbacks.analytics import FiguresTookTooLong, GroupBy, Scope
from callbacks.models import Callback
from callbacks.rules.connect_rate import rate
from dialer.models import Call, Campaign
from dialer.workspaces.models import Workspace
from tests.api.client import Api, error_of
from tests.api.queue_rows import make_callback, soon
from tests.factories import (
    NOW,
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_policy,
    make_workspace,
)

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def scope_of(workspace: Workspace, **fields: Any) -> Scope:
    return Scope(**{"workspace_id": workspace.pk, "since": NOW - DAY, "until": NOW + 30 * DAY, **fields})


def called(campaign: Campaign, *outcomes: str, zone: str = "Europe/Berlin", gap: timedelta = DAY) -> list[Call]:
    """Make a chain of calls with these outcomes, the first at ``NOW``, each ``gap`` after the end of the one before."""
    member = make_campaign_contact(campaign, make_contact(campaign.workspace, time_zone=zone), state="exhausted")
    calls, at = [], NOW
    for number, outcome in enumerate(outcomes, start=1):
        ended_at = at + MINUTE
        fields: dict[str, Any] = {"outcome": outcome, "dialing_at": at, "ended_at": ended_at}
        calls.append(make_call(campaign_contact=member, status="ended", attempt_number=number, **fields))
        at = ended_at + gap
    return calls


def by(group_by: GroupBy, scope: Scope) -> dict[str | None, tuple[int, int]]:
    found = analytics.connects(scope, group_by)
    return {group.key: (group.rate.calls, group.rate.answered) for group in found.groups}


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign()


def test_attempts_are_compared_by_their_number(campaign: Campaign) -> None:
    called(campaign, "no_answer", "busy", "answered")
    called(campaign, "answered")
    called(campaign, "voicemail", "dnc_request")

    assert by(GroupBy.ATTEMPT, scope_of(campaign.workspace)) == {"1": (3, 1), "2": (2, 1), "3": (1, 1)}


def test_calls_that_we_stopped_ourselves_did_not_end_or_came_in_count_nowhere(campaign: Campaign) -> None:
    called(campaign, "cancelled")
    make_call(campaign=campaign, status="in_progress")
    make_call(campaign=campaign)
    make_call(make_contact(campaign.workspace), status="ended", outcome="answered", direction="inbound")

    found = analytics.connects(scope_of(campaign.workspace), GroupBy.ATTEMPT)

    assert (found.total.calls, found.groups) == (0, [])


def test_hours_and_weekdays_are_those_of_the_contacts_clock(campaign: Campaign) -> None:
    # NOW is Wednesday, 10:00 UTC.
    called(campaign, "answered", zone="Europe/Berlin")
    called(campaign, "no_answer", zone="Asia/Kolkata")
    called(campaign, "no_answer", zone="Pacific/Kiritimati")

    scope = scope_of(campaign.workspace)

    assert by(GroupBy.HOUR, scope) == {"0": (1, 0), "11": (1, 1), "15": (1, 0)}
    assert by(GroupBy.WEEKDAY, scope) == {"wed": (2, 1), "thu": (1, 0)}


@pytest.mark.parametrize("zones", [[], ["America/New_York", "America/Chicago"], ["Mars/Olympus"]])
def test_a_contact_whose_clock_nobody_knows_is_counted_apart(campaign: Campaign, zones: list[str]) -> None:
    contact = make_contact(campaign.workspace, zones=zones)
    make_call(campaign_contact=make_campaign_contact(campaign, contact), status="ended")

    assert by(GroupBy.HOUR, scope_of(campaign.workspace)) == {None: (1, 0)}


def test_gaps_are_measured_from_the_end_of_the_previous_attempt_even_if_that_was_before_the_period(
    campaign: Campaign,
) -> None:
    called(campaign, "no_answer", "busy", "answered", gap=14 * MINUTE)
    called(campaign, "no_answer", "answered", gap=15 * MINUTE)
    called(campaign, "no_answer", "no_answer", gap=8 * DAY)
    called(make_campaign(), "no_answer", "answered", gap=MINUTE)

    everything = scope_of(campaign.workspace)
    without_first_calls = scope_of(campaign.workspace, since=NOW + MINUTE)

    assert by(GroupBy.GAP, everything) == {"0": (2, 1), "15": (1, 1), "10080": (1, 0)}
    assert by(GroupBy.GAP, without_first_calls) == by(GroupBy.GAP, everything)


def test_policies_are_those_of_the_campaigns_else_the_default_one() -> None:
    workspace = make_workspace()
    default, own = make_policy(workspace, is_default=True), make_policy(workspace)
    called(make_campaign(workspace), "answered")
    patient = make_campaign(workspace, retry_policy=own)
    called(patient, "no_answer")
    make_call(make_contact(workspace), status="ended")

    scope = scope_of(workspace)

    assert by(GroupBy.POLICY, scope) == {default.public_id: (2, 1), own.public_id: (1, 0)}
    assert by(GroupBy.ATTEMPT, scope_of(workspace, policy_id=own.pk)) == {"1": (1, 0)}
    assert by(GroupBy.ATTEMPT, scope_of(workspace, policy_id=default.pk)) == {"1": (2, 1)}
    assert by(GroupBy.ATTEMPT, scope_of(workspace, campaign_id=patient.pk)) == {"1": (1, 0)}


def test_a_period_has_its_start_and_not_its_end_and_another_workspace_is_not_in_it(campaign: Campaign) -> None:
    called(campaign, "answered")
    called(make_campaign(), "answered")

    assert by(GroupBy.ATTEMPT, scope_of(campaign.workspace, since=NOW, until=NOW + MINUTE)) == {"1": (1, 1)}
    assert by(GroupBy.ATTEMPT, scope_of(campaign.workspace, until=NOW)) == {}


def promised(campaign: Campaign, *, after: timedelta | None, kind: str = "customer_requested", **fields: Any) -> None:
    """Make a promise for ``NOW`` that was called so long afterwards, or not at all."""
    callback = make_callback(campaign, at=NOW, kind=kind)
    dialled_at = None if after is None else NOW + after
    status = "done" if dialled_at else "pending"
    Callback.objects.filter(pk=callback.pk).update(**{"status": status, "dialled_at": dialled_at, **fields})


def test_promises_are_kept_late_or_broken(campaign: Campaign) -> None:
    for after in (-5 * MINUTE, timedelta(), 15 * MINUTE):
        promised(campaign, after=after)
    promised(campaign, after=15 * MINUTE + timedelta(seconds=1))
    promised(campaign, after=None)
    promised(campaign, after=None, kind="manual", status="cancelled", updated_at=NOW + HOUR)
    promised(campaign, after=None, status="cancelled", updated_at=NOW - HOUR)
    promised(campaign, after=None, status="completed", updated_at=NOW + HOUR)
    promised(campaign, after=None, kind="auto_retry")

    found = analytics.promises(scope_of(campaign.workspace), now=NOW + DAY)

    assert (found.kept, found.late, found.broken) == (3, 1, 2)
    assert (found.handled, found.withdrawn, found.waiting) == (1, 1, 0)
    assert found.lateness_p50 == 450
    assert found.lateness_p95 is not None
    assert 900 < found.lateness_p95 <= 901


def test_a_promise_is_not_broken_before_its_fifteen_minutes_are_over_and_not_counted_before_its_time(
    campaign: Campaign,
) -> None:
    promised(campaign, after=None)

    early, due, over = (
        analytics.promises(scope_of(campaign.workspace), now=NOW + late) for late in (-MINUTE, 15 * MINUTE, 16 * MINUTE)
    )

    assert (early.waiting, early.broken) == (0, 0)
    assert (due.waiting, due.broken) == (1, 0)
    assert (over.waiting, over.broken) == (0, 1)
    assert over.lateness_p50 is None


@pytest.mark.parametrize(
    ("calls", "answered", "low", "high"),
    # With z = 1.96: z² / (n + z²) is the upper end of none in n, and n / (n + z²) the lower end of n in n.
    [
        (0, 0, 0.0, 100.0),
        (1, 1, 20.7, 100.0),
        (3, 0, 0.0, 56.1),
        (100, 20, 13.3, 28.9),
        (1_000_000, 200_000, 19.9, 20.1),
    ],
)
def test_the_interval_of_a_rate_is_wide_where_calls_are_few(calls: int, answered: int, low: float, high: float) -> None:
    found = rate(calls=calls, answered=answered)

    assert (found.low, found.high) == (low, high)
    assert found.low <= found.percent <= found.high


def test_figures_that_take_too_long_are_given_up(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analytics, "LONGEST_SECONDS", "0.001")
    monkeypatch.setattr(analytics, "_CALLS", "pg_sleep(1), dialer_call")
    called(campaign, "answered")

    with pytest.raises(FiguresTookTooLong):
        analytics.connects(scope_of(campaign.workspace), GroupBy.ATTEMPT)


@pytest.mark.django_db(transaction=True)
def test_figures_of_a_workspace_are_computed_once_at_a_time() -> None:
    api, other = Api(), Api()
    elsewhere: Any = connection.copy()
    elsewhere.set_autocommit(autocommit=False)
    with elsewhere.cursor() as cursor:
        cursor.execute(analytics._ALONE, {"workspace": api.workspace.pk})  # noqa: SLF001

        refused = api.get("analytics/")

        assert (refused.status_code, error_of(refused)["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) > 0
        assert other.get("analytics/").status_code == 200
    elsewhere.rollback()
    elsewhere.close()

    assert api.get("analytics/").status_code == 200


class TestRoute:
    def test_shows_the_last_thirty_days_by_attempt(self) -> None:
        api = Api()
        campaign = make_campaign(api.workspace)
        at: datetime = soon(hours=-1)
        make_call(campaign=campaign, status="ended", outcome="answered", dialing_at=at)

        shown = api.get("analytics/").json()

        its_rate = {"calls": 1, "answered": 1, "percent": 100.0, "low": 20.7, "high": 100.0}
        assert (shown["group_by"], shown["total"]) == ("attempt", its_rate)
        assert shown["groups"] == [{"key": "1", "text": "attempt 1", **its_rate}]
        assert shown["promises"]["kept"] == 0
        assert datetime.fromisoformat(shown["to"]) - datetime.fromisoformat(shown["from"]) == 30 * DAY

    @pytest.mark.parametrize("group_by", list(GroupBy))
    def test_shows_every_group(self, group_by: GroupBy) -> None:
        api = Api()
        called(make_campaign(api.workspace), "no_answer", "answered")
        period = {"from": NOW.isoformat(), "to": (NOW + 3 * DAY).isoformat()}

        shown = api.get("analytics/", group_by=group_by.value, **period).json()

        assert shown["groups"]
        assert all(group["text"] for group in shown["groups"])

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"group_by": "moon"}, "group_by"),
            ({"from": "2025-01-01T00:00:00Z", "to": "2025-04-04T00:00:00Z"}, "to"),
            ({"from": "2025-01-02T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, "to"),
            ({"from": "yesterday"}, "from"),
            ({"campaign_id": "camp_1"}, "campaign_id"),
            ({"limit": "1"}, "limit"),
        ],
    )
    def test_refuses_what_is_not_in_order_by_its_name(self, query: dict[str, str], field: str) -> None:
        assert set(error_of(Api().get("analytics/", **query))["fields"]) == {field}

    def test_another_workspaces_campaign_does_not_exist(self) -> None:
        theirs = make_campaign()

        refused = Api().get("analytics/", campaign_id=theirs.public_id)

        assert error_of(refused)["fields"] == {"campaign_id": ["does not exist"]}

    def test_says_when_it_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def give_up(*_: object) -> None:
            raise FiguresTookTooLong(FiguresTookTooLong.__doc__)

        monkeypatch.setattr(analytics, "connects", give_up)

        refused = Api().get("analytics/")

        assert (refused.status_code, error_of(refused)["code"]) == (503, "took_too_long")

"""What a campaign may be made of."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.campaigns.settings import CampaignFields, InvalidCampaign, columns_of
from dialer.models import Line
from dialer.workspaces.models import Workspace
from tests.factories import NOW, make_campaign, make_line, make_persona, make_policy, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    workspace = make_workspace()
    make_line(workspace)
    return workspace


def columns(workspace: Workspace, **fields: Any) -> dict[str, Any]:
    whole: CampaignFields = {"name": "Spring", "persona_id": make_persona(workspace).id, **fields}  # type: ignore[typeddict-item]
    return columns_of(workspace.id, whole, current=None, now=NOW)


def faults(workspace: Workspace, **fields: Any) -> list[str]:
    with pytest.raises(InvalidCampaign) as refused:
        columns(workspace, **fields)
    return sorted(refused.value.errors)


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"name": " "}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": "x" * 201}, ["name"]),
        ({"schedule": {"callback_retry_schedule": [5, 0]}}, ["schedule.callback_retry_schedule.1"]),
        ({"schedule": {"calling_ours": {}}}, ["schedule.calling_ours"]),
        ({"schedule": []}, ["schedule.non_field_errors"]),
        ({"schedule": {"time_zone": "Mars"}}, ["schedule.time_zone"]),
        ({"schedule": {"start_at": "2025-03-12T10:00:00"}}, ["schedule.start_at"]),
        ({"schedule": {"start_at": "soon"}}, ["schedule.start_at"]),
        ({"schedule": {"start_at": "0001-01-01T00:00:00+14:00"}}, ["schedule.start_at"]),
        ({"schedule": {"start_at_local": "2025-03-13T10:00:00Z"}}, ["schedule.start_at_local"]),
        (
            {"schedule": {"start_at": "2025-03-13T10:00:00Z", "start_at_local": "2025-03-13T10:00:00"}},
            ["schedule.start_at_local"],
        ),
        (
            {"schedule": {"start_at": "2025-03-13T10:00:00Z", "end_at": "2025-03-13T09:00:00Z"}},
            ["schedule.end_at"],
        ),
        ({"schedule": {"end_at": "2025-03-01T09:00:00Z"}}, ["schedule.end_at"]),
        ({"contact_limits": [{"max": 0, "period_hours": 1}]}, ["contact_limits.0.max"]),
        ({"calls_per_second": 0}, ["calls_per_second"]),
        ({"calls_per_second": True}, ["calls_per_second"]),
        ({"calls_per_second": float("nan")}, ["calls_per_second"]),
        ({"max_concurrent_calls": 0}, ["max_concurrent_calls"]),
        ({"max_concurrent_calls": 1.5}, ["max_concurrent_calls"]),
        ({"priority": 101}, ["priority"]),
        ({"metadata": {"a": "\x00"}}, ["metadata"]),
        ({"caller_id": "+4900000000"}, ["caller_id"]),
        ({"name": "", "priority": "high", "schedule": {"days": []}}, ["name", "priority", "schedule.days"]),
    ],
)
def test_every_fault_is_named_by_its_path(workspace: Workspace, fields: dict[str, Any], paths: list[str]) -> None:
    assert faults(workspace, **fields) == paths


def test_name_and_persona_are_required(workspace: Workspace) -> None:
    with pytest.raises(InvalidCampaign) as refused:
        columns_of(workspace.id, {}, current=None, now=NOW)

    assert sorted(refused.value.errors) == ["name", "persona_id"]


def test_what_belongs_to_another_workspace_or_is_archived_cannot_be_used(workspace: Workspace) -> None:
    other = make_workspace()

    assert faults(workspace, persona_id=make_persona(other).id) == ["persona_id"]
    assert faults(workspace, line_id=make_line(other).id) == ["line_id"]
    assert faults(workspace, retry_policy_id=make_policy(other).id) == ["retry_policy_id"]
    assert faults(workspace, persona_id=make_persona(workspace, archived_at=NOW).id) == ["persona_id"]


def test_without_a_line_the_default_one_is_taken_or_the_only_one_or_none_is_known(workspace: Workspace) -> None:
    only = Line.objects.get()
    assert columns(workspace)["line_id"] == only.id

    make_line(workspace)
    assert faults(workspace) == ["line_id"]

    default = make_line(workspace, is_default=True)
    assert columns(workspace)["line_id"] == default.id


def test_times_are_kept_in_utc_and_local_ones_as_said(workspace: Workspace) -> None:
    ahead = timezone(timedelta(hours=2))

    taken = columns(
        workspace,
        schedule={
            "call_start_hour": 8,
            "call_end_hour": 20,
            "time_zone": "Europe/Berlin",
            "start_at": datetime(2025, 3, 13, 10, tzinfo=ahead),
            "end_at": "2025-03-14T10:00:00+02:00",
        },
    )
    local = columns(workspace, schedule={"start_at_local": "2025-03-13T10:00"})

    assert taken["start_at"] == datetime(2025, 3, 13, 8, tzinfo=UTC)
    assert taken["end_at"] == datetime(2025, 3, 14, 8, tzinfo=UTC)
    assert taken["time_zone"] == "Europe/Berlin"
    assert taken["schedule"] == {"calling_hours": {"start": "08:00", "end": "20:00"}}
    assert local["start_at_local"] == "2025-03-13T10:00:00"


def test_send_at_is_start_at_as_other_systems_write_it(workspace: Workspace) -> None:
    at = "2025-03-13T10:00:00+05:30"

    assert columns(workspace, schedule={"send_at": at})["start_at"] == datetime(2025, 3, 13, 4, 30, tzinfo=UTC)
    assert faults(workspace, schedule={"send_at": at, "start_at": at}) == ["schedule.send_at"]
    assert faults(workspace, schedule={"send_at": "soon"}) == ["schedule.send_at"]


@given(
    st.dictionaries(
        st.sampled_from(["time_zone", "start_at", "start_at_local", "end_at", "days"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.datetimes() | st.datetimes().map(str),
    )
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_schedule_is_taken_or_refused_and_nothing_else_happens(
    workspace: Workspace, schedule: dict[str, Any]
) -> None:
    errors: dict[str, list[str]] = {"none": ["it was taken"]}
    try:
        columns(workspace, schedule=schedule)
    except InvalidCampaign as refused:
        errors = refused.errors

    assert all(errors.values())


def test_an_archived_line_is_not_the_only_one(workspace: Workspace) -> None:
    Line.objects.update(archived_at=NOW)

    assert faults(workspace) == ["line_id"]


@pytest.mark.parametrize(("status", "at_fault"), [("draft", []), ("running", ["call_status_callback"])])
def test_status_urls_change_until_the_start_and_not_after(
    workspace: Workspace, status: str, at_fault: list[str]
) -> None:
    campaign = make_campaign(workspace, status=status, call_status_callback="https://9.9.9.9/old")
    errors: dict[str, list[str]] = {}

    for url in ("https://9.9.9.9/old", "https://9.9.9.9/new"):
        try:
            columns_of(workspace.id, {"call_status_callback": url}, current=campaign, now=NOW)
        except InvalidCampaign as refused:
            assert url.endswith("new")
            errors |= refused.errors

    assert list(errors) == at_fault

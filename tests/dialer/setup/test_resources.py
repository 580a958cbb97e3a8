"""Workspaces, personas, lines and retry policies: made, changed, archived."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from callbacks.rules.retry import DEFAULT_POLICY
from dialer.models import Line, Persona, RetryPolicy
from dialer.setup import lines, personas, retry_policies, workspace_settings
from dialer.setup.recipe import InvalidResource
from dialer.setup.retry_policies import DefaultNeeded
from dialer.workspaces.audit import Actor
from dialer.workspaces.models import AuditEntry, Workspace
from tests.factories import NOW, make_line, make_persona, make_policy, make_workspace

pytestmark = pytest.mark.django_db
ANN = Actor(kind="user", id="1", label="Ann")


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


def by_ann() -> dict[str, Any]:
    return {"actor": ANN, "now": NOW}


def test_a_new_workspace_has_the_documented_retry_policy_and_limit() -> None:
    workspace = workspace_settings.open_workspace(name="Acme", time_zone="Europe/Berlin", **by_ann())

    policy = RetryPolicy.objects.get()
    assert policy.is_default
    assert policy.rules == {
        outcome: {"delays": list(rule.delays), "limit": rule.limit} for outcome, rule in DEFAULT_POLICY.rules.items()
    }
    assert workspace.contact_limits == [{"max": 10, "period_hours": 24, "scope": "number"}]
    assert retry_policies.ensure_default_policy(workspace.id, now=NOW) == policy


def test_a_workspaces_defaults_are_taken_in_either_spelling(workspace: Workspace) -> None:
    workspace_settings.edit_workspace(
        workspace.id, schedule={"call_start_hour": 8, "call_end_hour": 20}, stale_after_hours=24, **by_ann()
    )

    workspace.refresh_from_db()
    assert workspace.schedule == {"calling_hours": {"start": "08:00", "end": "20:00"}}
    assert (workspace.stale_after_hours, workspace.name) == (24, "Acme")


@pytest.mark.parametrize(
    ("make", "fields", "paths"),
    [
        (workspace_settings.open_workspace, {}, ["name"]),
        (workspace_settings.open_workspace, {"name": "x", "time_zone": "Mars"}, ["time_zone"]),
        (workspace_settings.open_workspace, {"name": "x", "schedule": {"days": []}}, ["schedule.days"]),
        (
            workspace_settings.open_workspace,
            {"name": "x", "contact_limits": [{}]},
            ["contact_limits.0.max", "contact_limits.0.period_hours"],
        ),
        (workspace_settings.open_workspace, {"name": "x", "stale_after_hours": 0}, ["stale_after_hours"]),
        (personas.create_persona, {"name": " "}, ["name"]),
        (personas.create_persona, {"name": "x", "endpoint": "y" * 501}, ["endpoint"]),
        (lines.create_line, {"name": "x", "carrier": "pigeon"}, ["carrier"]),
        (lines.create_line, {"name": "x", "credentials": []}, ["credentials"]),
        (lines.create_line, {"name": "x", "credentials": {"secret": "s"}}, ["credentials.secret"]),
        (lines.create_line, {"name": "x", "caller_ids": "+49"}, ["caller_ids"]),
        (lines.create_line, {"name": "x", "caller_ids": [""]}, ["caller_ids"]),
        (lines.create_line, {"name": "x", "ring_timeout_seconds": 4}, ["ring_timeout_seconds"]),
        (lines.create_line, {"name": "x", "is_default": "yes"}, ["is_default"]),
        (retry_policies.create_policy, {}, ["name", "rules"]),
        (
            retry_policies.create_policy,
            {"name": "x", "rules": {"busy": {"delays": [0], "limit": 1}}},
            ["rules.busy.delays.0"],
        ),
    ],
)
def test_every_fault_is_named(
    workspace: Workspace, make: Callable[..., object], fields: dict[str, Any], paths: list[str]
) -> None:
    arguments = () if make is workspace_settings.open_workspace else (workspace.id,)

    with pytest.raises(InvalidResource) as refused:
        make(*arguments, **fields, **by_ann())

    assert sorted(refused.value.errors) == paths


def test_credentials_are_kept_encrypted_and_stay_out_of_the_audit(workspace: Workspace, settings: Settings) -> None:
    settings.CARRIERS = {"vendor": "tests.in_process_carrier.VendorAdapter"}
    line = lines.create_line(workspace.id, name="Main", carrier="vendor", credentials={"token": "hunter2"}, **by_ann())

    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM dialer_line")
        row = cursor.fetchone()
    assert b"hunter2" not in bytes(row[0])
    assert json.loads(Line.objects.get().credentials) == {"token": "hunter2"}
    assert "hunter2" not in str(list(AuditEntry.objects.values()))

    lines.edit_line(line.id, workspace_id=workspace.id, credentials=None, **by_ann())
    assert Line.objects.get().credentials is None


def test_a_new_default_takes_the_place_of_the_former(workspace: Workspace) -> None:
    former = make_line(workspace, is_default=True)

    line = lines.create_line(workspace.id, name="Main", is_default=True, **by_ann())

    former.refresh_from_db()
    assert not former.is_default
    assert line.is_default


def test_a_name_is_taken_until_its_owner_is_archived(workspace: Workspace) -> None:
    persona = make_persona(workspace, name="Sara")
    with pytest.raises(InvalidResource, match="taken"):
        personas.create_persona(workspace.id, name="Sara", **by_ann())

    personas.archive_persona(persona.id, workspace_id=workspace.id, **by_ann())
    personas.create_persona(workspace.id, name="Sara", **by_ann())

    assert Persona.objects.filter(name="Sara").count() == 2
    with pytest.raises(Persona.DoesNotExist):
        personas.edit_persona(persona.id, workspace_id=workspace.id, name="Eva", **by_ann())


def test_a_policy_is_taken_in_the_short_form_and_the_default_one_is_kept(workspace: Workspace) -> None:
    default = retry_policies.ensure_default_policy(workspace.id, now=NOW)
    short = {"number_of_retries": 2, "interval_minutes": 10, "on_status": ["busy"]}

    policy = retry_policies.create_policy(workspace.id, name="Short", rules=short, **by_ann())

    assert policy.rules == {"busy": {"delays": [10], "limit": 2}}
    with pytest.raises(DefaultNeeded):
        retry_policies.archive_policy(default.id, workspace_id=workspace.id, **by_ann())
    with pytest.raises(DefaultNeeded):
        retry_policies.edit_policy(default.id, workspace_id=workspace.id, is_default=False, **by_ann())
    retry_policies.edit_policy(policy.id, workspace_id=workspace.id, is_default=True, **by_ann())
    retry_policies.archive_policy(default.id, workspace_id=workspace.id, **by_ann())


def test_what_belongs_to_another_workspace_is_not_found(workspace: Workspace) -> None:
    other = make_workspace()

    with pytest.raises(Line.DoesNotExist):
        lines.edit_line(make_line(other).id, workspace_id=workspace.id, name="x", **by_ann())
    with pytest.raises(RetryPolicy.DoesNotExist):
        retry_policies.archive_policy(make_policy(other).id, workspace_id=workspace.id, **by_ann())


def test_a_change_that_changes_nothing_leaves_no_audit_entry(workspace: Workspace) -> None:
    persona = make_persona(workspace, name="Sara")

    personas.edit_persona(persona.id, workspace_id=workspace.id, name="Sara", **by_ann())

    assert not AuditEntry.objects.exists()

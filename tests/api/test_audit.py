"""The audit over HTTP: filters, pages, and who may read it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from dialer.workspaces.audit import SYSTEM, Actor, Change, record
from dialer.workspaces.models import Workspace
from tests.api.client import Api, error_of
from tests.factories import NOW, make_workspace

pytestmark = pytest.mark.django_db

ANNE = Actor(kind="user", id="7", label="Anne")


def entry(
    workspace: Workspace, object_id: str = "camp_1", *, actor: Actor = ANNE, verb: str = "pause", **more: Any
) -> None:
    at = more.pop("at", NOW)
    change = Change(workspace_id=workspace.pk, verb=verb, object_type="campaign", object_id=object_id, **more)
    record(actor, [change], now=at)


def listed(api: Api, **query: Any) -> list[str]:
    answer = api.get("audit/", **query)
    assert answer.status_code == 200, answer.content
    return [row["object_id"] for row in answer.json()["results"]]


def test_an_entry_says_who_did_what_when_and_why() -> None:
    api = Api(scope="admin")
    entry(api.workspace, from_state={"status": "running"}, to_state={"status": "paused"}, reason="lunch")

    (shown,) = api.get("audit/", verb="pause").json()["results"]

    assert {name: value for name, value in shown.items() if name != "id"} == {
        "at": NOW.isoformat().replace("+00:00", "Z"),
        "actor": {"kind": "user", "id": "7", "name": "Anne"},
        "verb": "pause",
        "object_type": "campaign",
        "object_id": "camp_1",
        "from": {"status": "running"},
        "to": {"status": "paused"},
        "reason": "lunch",
        "address": None,
        "agent": "",
    }


@pytest.mark.parametrize(
    "query",
    [
        {"object_id": "camp_2"},
        {"object_id": "camp_2", "object_type": "campaign"},
        {"actor_id": "8"},
        {"actor_kind": "system"},
        {"verb": "resume"},
        {"since": (NOW + timedelta(hours=1)).isoformat()},
    ],
    ids=str,
)
def test_entries_are_filtered(query: dict[str, str]) -> None:
    api = Api(scope="admin")
    entry(api.workspace, "camp_1")
    other = Actor(kind="system", id="8", label="Ringback")
    entry(api.workspace, "camp_2", actor=other, verb="resume", at=NOW + timedelta(hours=1))

    assert listed(api, **query)[:1] == ["camp_2"]
    assert "camp_1" not in listed(api, **query)


def test_until_leaves_out_its_own_instant() -> None:
    api = Api(scope="admin")
    entry(api.workspace, "camp_1", at=NOW - timedelta(hours=1))
    entry(api.workspace, "camp_2", at=NOW)

    assert listed(api, until=NOW.isoformat()) == ["camp_1"]


def test_the_newest_entries_come_first_and_pages_show_each_once() -> None:
    api = Api(scope="admin")
    for minute in (3, 1, 2, 2):
        entry(api.workspace, f"camp_{minute}", at=NOW + timedelta(minutes=minute))

    first = api.get("audit/", object_type="campaign", limit=3).json()
    second = api.get(first["next"]).json()

    shown = [row["object_id"] for page in (first, second) for row in page["results"]]
    assert shown == ["camp_3", "camp_2", "camp_2", "camp_1"]


@pytest.mark.parametrize("scope", ["read", "write"])
def test_only_an_admin_key_reads_the_audit(scope: str) -> None:
    answer = Api(scope=scope).get("audit/")

    assert (answer.status_code, error_of(answer)["code"]) == (403, "permission_denied")


def test_entries_of_other_workspaces_are_not_shown() -> None:
    entry(make_workspace(), "camp_theirs", actor=SYSTEM)

    assert "camp_theirs" not in listed(Api(scope="admin"))


@pytest.mark.parametrize("query", [{"since": "2025-01-01T00:00:00"}, {"actor_kind": "robot"}, {"actor": "7"}], ids=str)
def test_a_bad_filter_is_named(query: dict[str, str]) -> None:
    assert list(error_of(Api(scope="admin").get("audit/", **query))["fields"]) == list(query)


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("verb = 'lift'", "audit_of_verb"),
        ("actor_id = '7'", "audit_of_actor"),
        ("at < now()", "audit_by_time"),
    ],
)
def test_a_list_of_entries_is_read_from_an_index(condition: str, index: str) -> None:
    workspace = make_workspace()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(
            f"EXPLAIN SELECT * FROM workspaces_auditentry WHERE workspace_id = '{workspace.pk}' AND {condition} "  # noqa: S608
            "ORDER BY at DESC, id DESC LIMIT 50"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert index in plan

"""Every operation of the API, as its schema tells, and rows to ask them about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from callbacks.models import BulkAction, Callback
from dialer.models import Import
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM, Change, record
from dialer.workspaces.models import Workspace
from tests.api.queue_rows import make_callback, open_campaign, soon
from tests.factories import (
    NOW,
    a_phone,
    make_call,
    make_contact,
    make_line,
    make_message,
    make_persona,
    make_policy,
    make_suppression,
)
from tests.webhooks.rows import make_delivery, make_endpoint
from webhooks.models import Replay

BASE = "/api/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path; ``path`` is below ``/api/v1/``, with its parameters in braces."""

    method: str
    path: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def resource(self) -> str:
        for resource in ("deliveries", "replays"):
            if self.path.startswith(f"webhooks/{resource}/"):
                return resource
        return "bulk" if self.path.startswith("callbacks/bulk/") else self.path.partition("/")[0]

    @property
    def scope(self) -> str:
        """Return the scope that a key needs for it."""
        scope: str = self.spec["x-scope"]
        return scope

    @property
    def is_list(self) -> bool:
        return any(parameter["name"] == "cursor" for parameter in self.spec.get("parameters", ()))

    @property
    def takes_json(self) -> bool:
        content = self.spec.get("requestBody", {}).get("content", {})
        return self.method in ("POST", "PATCH") and (not content or "application/json" in content)

    def filled(self, named: str) -> str:
        """Return the path with ``named`` in the place of its parameter."""
        return self.path.replace("{id}", named).replace("{webhook}", named)


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator(urlconf="config.urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


def operations() -> list[Operation]:
    return list(_operations())


def _operations() -> Iterator[Operation]:
    for path, methods in schema()["paths"].items():
        for method, spec in methods.items():
            yield Operation(method=method.upper(), path=path.removeprefix(BASE), spec=spec)


def _callback(workspace: Workspace) -> Callback:
    return make_callback(open_campaign(workspace), at=soon(hours=5))


def _replay(workspace: Workspace) -> Replay:
    row: Replay = Replay.objects.create(
        workspace=workspace,
        endpoint=make_endpoint(workspace),
        since=soon(hours=-1),
        until=soon(),
        statuses=["failed"],
        actor_kind="key",
    )
    return row


def _audit_entry(workspace: Workspace) -> str:
    record(SYSTEM, [Change(workspace_id=workspace.pk, verb="look", object_type="x", object_id="x")], now=NOW)
    return ""


ROWS: dict[str, Callable[[Workspace], str]] = {
    "api-keys": lambda workspace: (
        api_keys.issue(workspace_id=workspace.pk, name="CRM", scope="read", actor=SYSTEM, now=soon())[0].public_id
    ),
    "audit": _audit_entry,
    "bulk": lambda workspace: (
        BulkAction.objects.create(workspace=workspace, action="cancel", actor_kind="key").public_id
    ),
    "callbacks": lambda workspace: str(_callback(workspace).pk),
    "calls": lambda workspace: make_call(campaign=open_campaign(workspace), status="ended").public_id,
    "campaigns": lambda workspace: open_campaign(workspace).public_id,
    "contacts": lambda workspace: make_contact(workspace).public_id,
    "deliveries": lambda workspace: make_delivery(make_endpoint(workspace)).public_id,
    "imports": lambda workspace: Import.objects.create(workspace=workspace).public_id,
    "inbound-calls": lambda workspace: (
        make_call(make_contact(workspace), direction="inbound", status="ended", outcome="answered").public_id
    ),
    "lines": lambda workspace: make_line(workspace).public_id,
    "messages": lambda workspace: make_message(make_contact(workspace)).public_id,
    "personas": lambda workspace: make_persona(workspace).public_id,
    "replays": lambda workspace: _replay(workspace).public_id,
    "retry-policies": lambda workspace: make_policy(workspace).public_id,
    "suppressions": lambda workspace: make_suppression(workspace, a_phone()).public_id,
    "webhooks": lambda workspace: make_endpoint(workspace).public_id,
}
"""How a row that a path can name is made, by resource; a new resource that is missing here fails the tests."""

_QUESTION: dict[str, Any] = {"time_zone": "UTC", "first_attempt_at": "2025-03-03T10:00:00Z", "outcomes": ["busy"]}

BODIES: dict[str, Callable[[], dict[str, Any]]] = {
    "callbacks/{id}/": lambda: {"notes": "Ask for Max"},
    "callbacks/{id}/reschedule/": lambda: {"scheduled_at": soon(hours=3).isoformat()},
    "calls/{id}/request-callback/": lambda: {"scheduled_at": soon(hours=3).isoformat()},
    "calls/{id}/recording/": lambda: {"transcript": "Hello"},
    "campaigns/{id}/contacts/": lambda: {"contacts": [{"phone": "+4930123456"}]},
    "campaigns/{id}/preview/": lambda: dict(_QUESTION),
    "webhooks/{webhook}/replay/": lambda: {"since": soon(hours=-1).isoformat()},
    "retry-policies/{id}/preview/": lambda: dict(_QUESTION),
}
"""A body that is in order, for operations that take none without it."""

"""Lines: carriers with their credentials, caller ids and limits."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.db import transaction

from dialer import carriers
from dialer.models import Call, Campaign, Line
from dialer.rules.statuses import LIVE
from dialer.setup import caller_ids, paces, recipe
from dialer.setup.recipe import InvalidResource, Readers
from dialer.workspaces import values
from dialer.workspaces.audit import Actor
from dialer.workspaces.values import Unfit

RING_TIMEOUTS = range(5, 601)
MAX_DURATIONS = range(10, 14_401)
CALLS_PER_SECOND = 10.0
"""The default pace of a new line: without one, a window that opens would start all calls at once."""
IN_REACH: Mapping[str, Any] = {"failures_in_a_row": 0, "outages_in_a_row": 0, "down_until": None, "down_reason": ""}
"""The columns of a line whose carrier answers."""


class LineFields(TypedDict, total=False):
    """``credentials`` are never shown; ``None`` removes them. The carrier defines their names."""

    name: str
    carrier: str
    credentials: Mapping[str, Any] | None
    caller_ids: list[str]
    ring_timeout_seconds: int
    max_duration_seconds: int
    calls_per_second: float | None
    max_concurrent_calls: int | None
    is_default: bool
    inbound_campaign_id: UUID | None


def create_line(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[LineFields]) -> Line:
    """Make a line; a new default replaces the former one. Raises :class:`InvalidResource`.

    Without a pace, a line starts at most ten calls per second; ``None`` means no limit.
    """
    columns = {"calls_per_second": CALLS_PER_SECOND, **recipe.read(fields, _LINE, required=("name",))}
    _check_campaign(columns, workspace_id)
    _check_credentials(columns, of=Line(**columns).carrier)
    with transaction.atomic():
        caller_ids.lock(workspace_id)
        line = recipe.create(Line, workspace_id, columns, actor=actor, now=now)
        _keep_caller_ids(line, added=line.caller_ids)
    return line


def edit_line(line_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[LineFields]) -> Line:
    columns = recipe.read(fields, _LINE)
    _check_campaign(columns, workspace_id)
    with transaction.atomic():
        caller_ids.lock(workspace_id)
        line: Line = recipe.live(Line, workspace_id).select_for_update(no_key=True).get(pk=line_id)
        _check_carrier(columns, line)
        if columns.keys() & {"carrier", "credentials"}:
            # The change may have fixed the line: let the next call try.
            columns |= IN_REACH
        edited = recipe.edit(Line, line_id, workspace_id, columns, actor=actor, now=now)
        _keep_caller_ids(edited, added=[number for number in edited.caller_ids if number not in line.caller_ids])
    return edited


def archive_line(line_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Line:
    """Archive a line; any workspace may then claim the numbers that no other line of this one shows."""
    with transaction.atomic():
        caller_ids.lock(workspace_id)
        line = recipe.archive(Line, line_id, workspace_id, actor=actor, now=now)
        _keep_caller_ids(line, added=())
    return line


def default_line(workspace_id: UUID) -> Line | None:
    """Return the line for calls that name none: the default line, else the workspace's only one."""
    lines = list(Line.objects.in_workspace(workspace_id).filter(archived_at=None).order_by("-is_default", "id")[:2])
    return lines[0] if lines and (lines[0].is_default or len(lines) == 1) else None


def _check_campaign(columns: Mapping[str, Any], workspace_id: UUID) -> None:
    campaign_id = columns.get("inbound_campaign_id")
    if campaign_id and not Campaign.objects.in_workspace(workspace_id).filter(pk=campaign_id).exists():
        raise InvalidResource({"inbound_campaign_id": ["does not exist"]})


def _check_carrier(columns: Mapping[str, Any], line: Line) -> None:
    """Refuse a change of carrier that would send it another's secret, or lose the reports of live calls."""
    carrier = columns.get("carrier", line.carrier)
    _check_credentials(columns, of=carrier)
    if carrier == line.carrier:
        return
    if line.credentials is not None and "credentials" not in columns:
        raise InvalidResource({"credentials": ["are those of another carrier: give this one's, or null"]})
    # A carrier's reports count only for calls over its own lines.
    if Call.objects.in_workspace(line.workspace_id).filter(line=line, status__in=LIVE).exists():
        raise InvalidResource({"carrier": ["cannot be changed while calls over the line are live"]})


def _check_credentials(columns: Mapping[str, Any], *, of: str) -> None:
    given: Mapping[str, Any] = json.loads(columns.get("credentials") or "{}")
    if not given:
        return
    if of not in settings.CARRIERS:
        raise InvalidResource({"carrier": ["is not one of this installation any more"]})
    names = carriers.credential_names(of)
    takes = f"a line of it takes {', '.join(sorted(names))}" if names else "a line of it has no credentials"
    reason = (
        f"is not taken: the address of the carrier {of}, and its own secret, are settings of the installation; {takes}"
    )
    if refused := {f"credentials.{name}": [reason] for name in sorted(given.keys() - names)}:
        raise InvalidResource(refused)


def _keep_caller_ids(line: Line, *, added: Collection[str]) -> None:
    try:
        caller_ids.keep(line, added=added)
    except caller_ids.NumberInUse as refused:
        raise InvalidResource({"caller_ids": [f"{number} is in use" for number in refused.numbers]}) from refused


def _carrier(value: object) -> str:
    if not isinstance(value, str) or value not in settings.CARRIERS:
        message = f"must be one of {', '.join(sorted(settings.CARRIERS))}"
        raise Unfit(message)
    return value


def _credentials(value: object) -> str | None:
    given = values.json_object(value)
    return json.dumps(given) if given else None


_LINE: Readers = {
    "name": values.name,
    "carrier": _carrier,
    "credentials": _credentials,
    "caller_ids": caller_ids.read,
    "ring_timeout_seconds": values.within(RING_TIMEOUTS),
    "max_duration_seconds": values.within(MAX_DURATIONS),
    "calls_per_second": paces.calls_per_second,
    "max_concurrent_calls": paces.max_concurrent_calls,
    "is_default": values.boolean,
    "inbound_campaign_id": lambda value: value,
}

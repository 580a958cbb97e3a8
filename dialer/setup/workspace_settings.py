"""The settings of a workspace: time zone, calling window, contact limits, pace, retention."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction

from dialer.rules import schedule_settings
from dialer.rules.limit_presets import Preset, presets
from dialer.rules.time_zones import is_time_zone
from dialer.setup import paces, recipe
from dialer.setup.recipe import InvalidResource, Readers
from dialer.setup.retry_policies import ensure_default_policy
from dialer.workspaces import values
from dialer.workspaces.audit import Actor, record
from dialer.workspaces.models import KEEPS_DAYS, Workspace
from dialer.workspaces.values import Unfit

STALE_AFTER_HOURS = range(1, 8_761)


class WorkspaceFields(TypedDict, total=False):
    """The defaults of a workspace; a field that is left out stays as it is.

    ``preset`` names a jurisdiction (``limit_presets``) whose limits and window replace the present ones.
    """

    name: str
    time_zone: str
    schedule: Mapping[str, object]
    contact_limits: object
    stale_after_hours: int
    calls_per_second: float | None
    max_concurrent_calls: int | None
    requires_two_factor: bool
    keep_events_days: int | None
    keep_deliveries_days: int
    keep_imports_days: int | None
    keep_transcripts_days: int | None
    preset: str


def open_workspace(*, actor: Actor, now: datetime, **fields: Unpack[WorkspaceFields]) -> Workspace:
    """Make a workspace with its default retry policy; raises :class:`InvalidResource`."""
    columns = _with_preset(recipe.read(fields, _WORKSPACE, required=("name",)), schedule={})
    with transaction.atomic():
        workspace = Workspace.objects.create(created_at=now, **columns)
        ensure_default_policy(workspace.id, now=now)
        record(actor, [recipe.change(workspace, "open", columns)], now=now)
    return workspace


def edit_workspace(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[WorkspaceFields]) -> Workspace:
    """Change the workspace's defaults; scheduled calls keep their time. Raises :class:`InvalidResource`."""
    columns = recipe.read(fields, _WORKSPACE)
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)
        columns = _with_preset(columns, schedule=workspace.schedule)
        recipe.write(workspace, columns, actor=actor, now=now)
    return workspace


def _with_preset(columns: dict[str, Any], *, schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Replace limits and window by those of the named preset, if there is one."""
    preset: Preset | None = columns.pop("preset", None)
    if preset is None:
        return columns
    if "contact_limits" in columns or "schedule" in columns:
        raise InvalidResource({"preset": ["takes the place of contact_limits and schedule: give it without them"]})
    return {**columns, "contact_limits": preset.contact_limits, "schedule": preset.over(schedule)}


def _time_zone(value: object) -> str:
    if not is_time_zone(value):
        message = "is not a known IANA time zone, such as Europe/Berlin"
        raise Unfit(message)
    return str(value)


def _preset(value: object) -> Preset:
    found = presets().get(value) if isinstance(value, str) else None
    if found is None:
        message = f"must be one of {', '.join(presets())}"
        raise Unfit(message)
    return found


def _days_or_for_ever(allowed: range) -> Callable[[object], int | None]:
    return lambda value: None if value is None else values.whole_number(value, within=allowed)


_WORKSPACE: Readers = {
    "name": values.name,
    "time_zone": _time_zone,
    "schedule": schedule_settings.parse,
    "contact_limits": schedule_settings.parse_contact_limits,
    "stale_after_hours": values.within(STALE_AFTER_HOURS),
    "calls_per_second": paces.calls_per_second,
    "max_concurrent_calls": paces.max_concurrent_calls,
    "requires_two_factor": values.boolean,
    "keep_events_days": _days_or_for_ever(KEEPS_DAYS["keep_events_days"]),
    "keep_deliveries_days": values.within(KEEPS_DAYS["keep_deliveries_days"]),
    "keep_imports_days": _days_or_for_ever(KEEPS_DAYS["keep_imports_days"]),
    "keep_transcripts_days": _days_or_for_ever(KEEPS_DAYS["keep_transcripts_days"]),
    "preset": _preset,
}

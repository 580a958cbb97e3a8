"""Settings of a campaign: checks every field and turns it into columns."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict
from uuid import UUID

from dialer.calls.inline_webhooks import inline_webhooks
from dialer.models import Campaign, Line, Persona, RetryPolicy
from dialer.rules import schedule_settings
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.status_callbacks import StatusUrl
from dialer.rules.statuses import CampaignStatus
from dialer.rules.time_zones import is_time_zone
from dialer.setup import caller_ids, paces
from dialer.setup.lines import default_line
from dialer.workspaces import values
from dialer.workspaces.values import Unfit
from webhooks import hidden_endpoints
from webhooks.hidden_endpoints import InlineWebhook

LONGEST_CALLER_ID = 32
LONGEST_URL = 2_000
LONGEST_SECRET = 500
PRIORITIES = range(-100, 101)
_YEARS = range(1970, 2201)
"""Times near the ends of the calendar overflow when they are converted to another zone."""
_FROZEN_AT_START = (*StatusUrl, "status_callback_secret")
_OF_TIME = ("time_zone", "start_at", "send_at", "start_at_local", "end_at")


class InvalidCampaign(InvalidSettings):
    """A campaign cannot have these settings; ``errors`` names every field at fault."""


class CampaignFields(TypedDict, total=False):
    """The settings of a campaign; a field that is left out stays as it is.

    ``schedule`` is replaced as a whole; it takes either spelling, ``time_zone``, ``start_at`` (with an offset),
    ``start_at_local`` (without one: on each contact's clock) and ``end_at``. ``send_at`` is ``start_at`` as other
    systems write it. ``retries`` are the rules of a retry policy in short.
    """

    name: str
    persona_id: UUID
    line_id: UUID | None
    caller_id: str
    retry_policy_id: UUID | None
    retries: object
    schedule: Mapping[str, object]
    contact_limits: object
    calls_per_second: float | None
    max_concurrent_calls: int | None
    priority: int
    config_webhooks: object
    call_status_callback: str
    call_schedule_callback: str
    status_callback: str
    status_callback_secret: str | None
    metadata: Mapping[str, Any]


def columns_of(
    workspace_id: UUID, fields: CampaignFields, *, current: Campaign | None, now: datetime
) -> dict[str, Any]:
    """Return the columns to write; ``current`` is the campaign to edit. Raises :class:`InvalidCampaign`.

    ``config_webhooks`` are checked but not frozen yet; ``retries`` are rules that no policy has yet.
    """
    errors: dict[str, list[str]] = {}
    columns: dict[str, Any] = {}
    for name, read in _READ.items():
        if name in fields:
            try:
                columns[name] = read(fields.get(name))
            except InvalidSettings as refused:
                errors |= refused.errors
            except Unfit as refused:
                errors[name] = [str(refused)]
    errors |= _frozen(columns, current)
    errors |= _contradicting(fields)
    if "schedule" in fields:
        columns |= _schedule(fields["schedule"], errors, current=current, now=now)
    columns |= _used(workspace_id, fields, errors, current=current)
    if current is None:
        for name in ("name", "persona_id"):
            if name not in columns and name not in errors:
                errors[name] = ["is required"]
    if errors:
        raise InvalidCampaign(errors)
    return columns


def _frozen(columns: Mapping[str, Any], current: Campaign | None) -> dict[str, list[str]]:
    """Return an error for every change to a URL that was frozen when the campaign started."""
    if current is None or current.status == CampaignStatus.DRAFT:
        return {}
    late = [name for name in _FROZEN_AT_START if name in columns and columns[name] != getattr(current, name)]
    return {name: ["cannot change any more: it was frozen when the campaign started"] for name in late}


def _contradicting(fields: CampaignFields) -> dict[str, list[str]]:
    is_twice = "retries" in fields and fields.get("retry_policy_id") is not None
    return {"retries": ["contradicts retry_policy_id"]} if is_twice else {}


def _used(
    workspace_id: UUID, fields: CampaignFields, errors: dict[str, list[str]], *, current: Campaign | None
) -> dict[str, Any]:
    """Find the named persona, line and policy; a new campaign without a line gets the default line."""
    columns: dict[str, Any] = {}
    models: dict[str, Any] = {"persona_id": Persona, "line_id": Line, "retry_policy_id": RetryPolicy}
    for name, model in models.items():
        value = fields.get(name)
        if value is None:
            if name == "retry_policy_id" and name in fields:
                columns[name] = None
            continue
        if model.objects.in_workspace(workspace_id).filter(pk=value, archived_at=None).exists():
            columns[name] = value
        else:
            errors[name] = ["is not one of yours, or archived"]
    if current is None and "line_id" not in columns and "line_id" not in errors:
        if line := default_line(workspace_id):
            columns["line_id"] = line.pk
        else:
            errors["line_id"] = ["is required: there is no default line"]
    caller_id = fields.get("caller_id")
    line_id = columns.get("line_id") or (current.line_id if current else None)
    if caller_id and line_id:
        shown = Line.objects.in_workspace(workspace_id).get(pk=line_id).caller_ids
        if shown and caller_id not in shown:
            errors["caller_id"] = ["is not a caller id of the line"]
        elif caller_ids.belongs_to_another(caller_id, workspace_id):
            errors["caller_id"] = ["is in use"]
    return columns


def _schedule(raw: object, errors: dict[str, list[str]], *, current: Campaign | None, now: datetime) -> dict[str, Any]:
    given = dict(raw) if isinstance(raw, Mapping) else raw
    times: dict[str, Any] = {}
    if isinstance(given, dict):
        times = {name: given.pop(name, None) for name in _OF_TIME}
    columns: dict[str, Any] = {}
    try:
        columns["schedule"] = schedule_settings.parse(given)
    except InvalidSettings as refused:
        errors |= {f"schedule.{path}": reasons for path, reasons in refused.errors.items()}
    zone = "" if times.get("time_zone") is None else times["time_zone"]
    if zone != "" and not is_time_zone(zone):
        errors["schedule.time_zone"] = ["is not a known IANA time zone, such as Europe/Berlin"]
    columns["time_zone"] = zone
    start = "start_at" if times.get("send_at") is None else "send_at"
    if start == "send_at" and times["start_at"] is not None:
        errors["schedule.send_at"] = ["contradicts start_at"]
    for name, said, read in (
        ("start_at", start, _instant),
        ("end_at", "end_at", _instant),
        ("start_at_local", "start_at_local", _local),
    ):
        try:
            columns[name] = read(times.get(said))
        except Unfit as refused:
            errors[f"schedule.{said}"] = [str(refused)]
    start_at, end_at = columns.get("start_at"), columns.get("end_at")
    if start_at and columns.get("start_at_local"):
        errors["schedule.start_at_local"] = ["contradicts start_at"]
    if end_at and start_at and end_at <= start_at:
        errors["schedule.end_at"] = ["must be after start_at"]
    elif end_at and end_at <= now and (current is None or end_at != current.end_at):
        errors["schedule.end_at"] = ["must be in the future"]
    return columns


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    at = _datetime(value)
    if at.tzinfo is None:
        message = "must have an offset, such as Z or +01:00"
        raise Unfit(message)
    return at.astimezone(UTC)


def _local(value: object) -> str:
    if value is None or value == "":
        return ""
    at = _datetime(value)
    if at.tzinfo is not None:
        message = "must not have an offset: it is the time on each contact's own clock"
        raise Unfit(message)
    return at.isoformat(timespec="seconds")


def _datetime(value: object) -> datetime:
    message = "must be a date and time, such as 2025-01-15T10:30:00"
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.year not in _YEARS:
        raise Unfit(message)
    return at


def _caller_id(value: object) -> str:
    return values.text(value or "", longest=LONGEST_CALLER_ID)


def _limits(value: object) -> list[dict[str, Any]] | None:
    return None if value is None else schedule_settings.parse_contact_limits(value)


def _webhooks(value: object) -> list[InlineWebhook] | None:
    return inline_webhooks(value, path="config.webhooks")


def _status_url(value: object) -> str:
    url = values.text(value or "", longest=LONGEST_URL)
    if url and (reason := hidden_endpoints.status_url_error(url)):
        raise Unfit(reason)
    return url


def _status_secret(value: object) -> str | None:
    if value is None or value == "":
        return None
    secret = values.text(value, longest=LONGEST_SECRET)
    if reason := hidden_endpoints.status_secret_error(secret):
        raise Unfit(reason)
    return secret


_READ: dict[str, Callable[[object], Any]] = {
    "name": values.name,
    "caller_id": _caller_id,
    "retries": schedule_settings.parse_retries,
    "contact_limits": _limits,
    "calls_per_second": paces.calls_per_second,
    "max_concurrent_calls": paces.max_concurrent_calls,
    "priority": values.within(PRIORITIES),
    "config_webhooks": _webhooks,
    **dict.fromkeys(StatusUrl, _status_url),
    "status_callback_secret": _status_secret,
    "metadata": values.json_object,
}

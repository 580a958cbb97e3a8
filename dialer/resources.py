"""What a workspace owns before it calls anybody: its own defaults, personas, lines, retry policies.

One recipe for all of them: values are read with their bounds, every fault is named, the change is audited without the
secrets in it. Nothing is deleted: what is archived serves the campaigns that use it and is offered to no new one.
"""

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypedDict, TypeVar, Unpack
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from dialer import caller_ids, carriers, outages
from dialer.contacts import is_time_zone
from dialer.models import Call, Campaign, Line, Persona, RetryPolicy
from dialer.rooms import forget_pace
from dialer.rules import schedule_settings, values
from dialer.rules.limit_presets import Preset, presets
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.statuses import LIVE
from dialer.rules.values import Unfit
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.models import Workspace

LONGEST_ENDPOINT = 500
RING_TIMEOUTS = range(5, 601)
MAX_DURATIONS = range(10, 14_401)
STALE_AFTER_HOURS = range(1, 8_761)
CALLS_PER_SECOND = 10.0
"""The pace of a new line that says nothing of it: without any, a window that opens would start everything at once."""
DEFAULT_RULES: Mapping[str, Mapping[str, Any]] = {
    "voicemail": {"delays": [1_440], "limit": 3},
    "no_answer": {"delays": [1_440], "limit": 3},
    "busy": {"delays": [60], "limit": 5},
    "network_error": {"delays": [30], "limit": 3},
}

_Resource = TypeVar("_Resource", Persona, Line, RetryPolicy)
_Readers = Mapping[str, Callable[[object], Any]]


class InvalidResource(InvalidSettings):
    """What was given breaks a bound; ``errors`` names every field at fault."""


class DefaultNeeded(Exception):
    """The workspace's default policy cannot be archived; make another one the default first."""


class WorkspaceFields(TypedDict, total=False):
    """The defaults of a workspace; a field that is left out stays as it is.

    ``preset`` names a jurisdiction (``limit_presets``) whose limits and window take the place of what is there.
    """

    name: str
    time_zone: str
    schedule: Mapping[str, object]
    contact_limits: object
    stale_after_hours: int
    calls_per_second: float | None
    max_concurrent_calls: int | None
    preset: str


class PersonaFields(TypedDict, total=False):
    name: str
    endpoint: str
    has_flow: bool


class LineFields(TypedDict, total=False):
    """``credentials`` are written, never shown; ``None`` takes them away. The carrier says what they may hold."""

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


class PolicyFields(TypedDict, total=False):
    """``rules`` in either form of :func:`~dialer.rules.schedule_settings.parse_retry_policy`."""

    name: str
    rules: Mapping[str, object]
    is_default: bool


def open_workspace(*, actor: Actor, now: datetime, **fields: Unpack[WorkspaceFields]) -> Workspace:
    """Make a workspace with its default retry policy; raises :class:`InvalidResource`."""
    columns = _with_preset(_read(fields, _WORKSPACE, required=("name",)), schedule={})
    with transaction.atomic():
        workspace = Workspace.objects.create(created_at=now, **columns)
        ensure_default_policy(workspace.id, now=now)
        record(actor, [_change(workspace, "open", columns)], now=now)
    return workspace


def edit_workspace(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[WorkspaceFields]) -> Workspace:
    """Change the workspace's defaults; what has been scheduled keeps its time. Raises :class:`InvalidResource`."""
    columns = _read(fields, _WORKSPACE)
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)
        columns = _with_preset(columns, schedule=workspace.schedule)
        _write(workspace, columns, actor=actor, now=now)
    return workspace


def _with_preset(columns: dict[str, Any], *, schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Put the limits and the window of the preset that is named, if one is, in the place of what there was."""
    preset: Preset | None = columns.pop("preset", None)
    if preset is None:
        return columns
    if "contact_limits" in columns or "schedule" in columns:
        raise InvalidResource({"preset": ["takes the place of contact_limits and schedule: give it without them"]})
    return {**columns, "contact_limits": preset.contact_limits, "schedule": preset.over(schedule)}


def ensure_default_policy(workspace_id: UUID, *, now: datetime) -> RetryPolicy:
    """Return the workspace's default policy, made from the documented table where there is none."""
    found: RetryPolicy | None = (
        RetryPolicy.objects.in_workspace(workspace_id).filter(is_default=True, archived_at=None).first()
    )
    if found is not None:
        return found
    made: RetryPolicy = RetryPolicy.objects.create(
        workspace_id=workspace_id, name="Default", rules=DEFAULT_RULES, is_default=True, created_at=now
    )
    return made


def create_persona(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[PersonaFields]) -> Persona:
    return _create(Persona, workspace_id, _read(fields, _PERSONA, required=("name",)), actor=actor, now=now)


def edit_persona(
    persona_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[PersonaFields]
) -> Persona:
    return _edit(Persona, persona_id, workspace_id, _read(fields, _PERSONA), actor=actor, now=now)


def archive_persona(persona_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Persona:
    return _archive(Persona, persona_id, workspace_id, actor=actor, now=now)


def create_line(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[LineFields]) -> Line:
    """Make a line; one that is made the default takes the place of the former. Raises :class:`InvalidResource`.

    A line that says nothing of its pace starts ten calls a second at most; ``None`` is no limit.
    """
    columns = {"calls_per_second": CALLS_PER_SECOND, **_read(fields, _LINE, required=("name",))}
    _check_campaign(columns, workspace_id)
    _check_credentials(columns, of=Line(**columns).carrier)
    with transaction.atomic():
        caller_ids.lock(workspace_id)
        line = _create(Line, workspace_id, columns, actor=actor, now=now)
        _keep_caller_ids(line, added=line.caller_ids)
    return line


def edit_line(line_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[LineFields]) -> Line:
    columns = _read(fields, _LINE)
    _check_campaign(columns, workspace_id)
    with transaction.atomic():
        caller_ids.lock(workspace_id)
        line: Line = _live(Line, workspace_id).select_for_update(no_key=True).get(pk=line_id)
        _check_carrier(columns, line)
        if columns.keys() & {"carrier", "credentials"}:
            # What was wrong may be right now: the next call finds out.
            columns |= outages.CLOSED
        edited = _edit(Line, line_id, workspace_id, columns, actor=actor, now=now)
        _keep_caller_ids(edited, added=[number for number in edited.caller_ids if number not in line.caller_ids])
    return edited


def _check_campaign(columns: Mapping[str, Any], workspace_id: UUID) -> None:
    campaign_id = columns.get("inbound_campaign_id")
    if campaign_id and not Campaign.objects.in_workspace(workspace_id).filter(pk=campaign_id).exists():
        raise InvalidResource({"inbound_campaign_id": ["does not exist"]})


def _check_carrier(columns: Mapping[str, Any], line: Line) -> None:
    """Refuse another carrier for a line where a secret would go to it, or the reports of live calls would be lost."""
    carrier = columns.get("carrier", line.carrier)
    _check_credentials(columns, of=carrier)
    if carrier == line.carrier:
        return
    if line.credentials is not None and "credentials" not in columns:
        raise InvalidResource({"credentials": ["are those of another carrier: give this one's, or null"]})
    # Reports count for calls over the line of the carrier that sends them.
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


def archive_line(line_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> Line:
    """Archive a line; a number that no other line of the workspace shows may be claimed by anybody from now on."""
    with transaction.atomic():
        caller_ids.lock(workspace_id)
        line = _archive(Line, line_id, workspace_id, actor=actor, now=now)
        _keep_caller_ids(line, added=())
    return line


def _keep_caller_ids(line: Line, *, added: Collection[str]) -> None:
    try:
        caller_ids.keep(line, added=added)
    except caller_ids.NumberInUse as refused:
        raise InvalidResource({"caller_ids": [f"{number} is in use" for number in refused.numbers]}) from refused


def create_policy(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[PolicyFields]) -> RetryPolicy:
    """Make a retry policy; one that is made the default takes the place of the former."""
    return _create(RetryPolicy, workspace_id, _read(fields, _POLICY, required=("name", "rules")), actor=actor, now=now)


def edit_policy(
    policy_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[PolicyFields]
) -> RetryPolicy:
    """Change a policy; outcomes from now on resolve with it, callbacks that are pending keep their time."""
    columns = _read(fields, _POLICY)
    with transaction.atomic():
        policy = RetryPolicy.objects.in_workspace(workspace_id).get(pk=policy_id)
        if columns.get("is_default") is False and policy.is_default:
            raise DefaultNeeded(DefaultNeeded.__doc__)
        return _edit(RetryPolicy, policy_id, workspace_id, columns, actor=actor, now=now)


def archive_policy(policy_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> RetryPolicy:
    """Archive a policy; raises :class:`DefaultNeeded` for the default one."""
    with transaction.atomic():
        if RetryPolicy.objects.in_workspace(workspace_id).get(pk=policy_id).is_default:
            raise DefaultNeeded(DefaultNeeded.__doc__)
        return _archive(RetryPolicy, policy_id, workspace_id, actor=actor, now=now)


def _create(
    model: type[_Resource], workspace_id: UUID, columns: dict[str, Any], *, actor: Actor, now: datetime
) -> _Resource:
    with transaction.atomic():
        resource = model(workspace_id=workspace_id, created_at=now, **columns)
        _save(resource, columns)
        record(actor, [_change(resource, "create", columns)], now=now)
    return resource


def _edit(
    model: type[_Resource],
    pk: UUID,
    workspace_id: UUID,
    columns: dict[str, Any],
    *,
    actor: Actor,
    now: datetime,
) -> _Resource:
    with transaction.atomic():
        resource: _Resource = _live(model, workspace_id).select_for_update(no_key=True).get(pk=pk)
        _write(resource, columns, actor=actor, now=now)
    return resource


def _archive(model: type[_Resource], pk: UUID, workspace_id: UUID, *, actor: Actor, now: datetime) -> _Resource:
    """Archive a row that is not archived yet; its name is free again."""
    with transaction.atomic():
        resource: _Resource = _live(model, workspace_id).select_for_update(no_key=True).get(pk=pk)
        resource.archived_at = now
        resource.save(update_fields=["archived_at"])
        record(actor, [_change(resource, "archive", {})], now=now)
    return resource


def _live(model: Any, workspace_id: UUID) -> Any:  # noqa: ANN401 — the manager is untyped
    return model.objects.in_workspace(workspace_id).filter(archived_at=None)


def _write(
    row: Workspace | Persona | Line | RetryPolicy, columns: Mapping[str, Any], *, actor: Actor, now: datetime
) -> None:
    changes = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if not changes:
        return
    for name, value in changes.items():
        setattr(row, name, value)
    _save(row, changes)
    if "calls_per_second" in changes:
        forget_pace(row.pk if isinstance(row, Workspace) else row.workspace_id, row.pk)
    record(actor, [_change(row, "edit", changes)], now=now)


def _save(row: Workspace | Persona | Line | RetryPolicy, changes: Mapping[str, Any]) -> None:
    """Save; a new default takes the place of the former, and the name must be free among what is not archived."""
    if changes.get("is_default") and isinstance(row, Line | RetryPolicy):
        _live(type(row), row.workspace_id).filter(is_default=True).exclude(pk=row.pk).update(is_default=False)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "name_unique" not in str(error):
            raise
        raise InvalidResource({"name": ["is taken"]}) from error


def _change(row: Workspace | Persona | Line | RetryPolicy, verb: str, columns: Mapping[str, Any]) -> Change:
    """Say which columns changed, and to what but for secrets."""
    shown = {
        name: "(changed)" if name == "credentials" else str(value) if isinstance(value, UUID) else value
        for name, value in columns.items()
    }
    return Change(
        workspace_id=row.id if isinstance(row, Workspace) else row.workspace_id,
        verb=verb,
        object_type=type(row)._meta.model_name or "",  # noqa: SLF001 — Django's documented interface
        object_id=row.public_id,
        to_state=shown,
    )


def _read(fields: Mapping[str, Any], readers: _Readers, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    errors: dict[str, list[str]] = {name: ["is required"] for name in required if name not in fields}
    columns: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            columns[name] = readers[name](value)
        except InvalidSettings as refused:
            errors |= {_path(name, path): reasons for path, reasons in refused.errors.items()}
        except Unfit as refused:
            errors[name] = [str(refused)]
    if errors:
        raise InvalidResource(errors)
    return columns


def _path(name: str, path: str) -> str:
    return path if path == name or path.startswith(f"{name}.") else f"{name}.{path}"


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


def _within(allowed: range) -> Callable[[object], int]:
    return lambda value: values.whole_number(value, within=allowed)


def _endpoint(value: object) -> str:
    return values.text(value or "", longest=LONGEST_ENDPOINT)


def _carrier(value: object) -> str:
    if not isinstance(value, str) or value not in settings.CARRIERS:
        message = f"must be one of {', '.join(sorted(settings.CARRIERS))}"
        raise Unfit(message)
    return value


def _credentials(value: object) -> str | None:
    given = values.json_object(value)
    return json.dumps(given) if given else None


_WORKSPACE: _Readers = {
    "name": values.name,
    "time_zone": _time_zone,
    "schedule": schedule_settings.parse,
    "contact_limits": schedule_settings.parse_contact_limits,
    "stale_after_hours": _within(STALE_AFTER_HOURS),
    "calls_per_second": values.calls_per_second,
    "max_concurrent_calls": values.max_concurrent_calls,
    "preset": _preset,
}
_PERSONA: _Readers = {"name": values.name, "endpoint": _endpoint, "has_flow": values.boolean}
_LINE: _Readers = {
    "name": values.name,
    "carrier": _carrier,
    "credentials": _credentials,
    "caller_ids": caller_ids.read,
    "ring_timeout_seconds": _within(RING_TIMEOUTS),
    "max_duration_seconds": _within(MAX_DURATIONS),
    "calls_per_second": values.calls_per_second,
    "max_concurrent_calls": values.max_concurrent_calls,
    "is_default": values.boolean,
    "inbound_campaign_id": lambda value: value,
}
_POLICY: _Readers = {
    "name": values.name,
    "rules": schedule_settings.parse_retry_policy,
    "is_default": values.boolean,
}

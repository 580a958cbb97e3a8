"""Questions of previews, put in a workspace: its defaults, zone, limits and policies stand behind what is asked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from callbacks.preview import Question
from dialer.contacts import is_time_zone
from dialer.models import RetryPolicy
from dialer.rules import schedule_settings
from dialer.rules.schedule_settings import InvalidSettings
from dialer.workspaces.models import Workspace

_NO_ZONE = "is not a known IANA time zone, such as Europe/Berlin"


def question_in(
    workspace: Workspace,
    *,
    first_attempt_at: datetime,
    outcomes: Sequence[str],
    phone: str = "",
    timezone: str = "",
    call: Mapping[str, Any] | None = None,
    schedule: Mapping[str, Any] | None = None,
    policy: RetryPolicy | None = None,
) -> Question:
    """Read a question as a client asks it: settings in either spelling, ``policy`` as if a campaign named it.

    Raises ``InvalidSettings`` naming every field at fault.
    """
    given = dict(schedule or {})
    fallback: Any = given.pop("timezone", None)
    zones = {"timezone": timezone, "schedule.timezone": "" if fallback is None else fallback}
    errors = {path: [_NO_ZONE] for path, zone in zones.items() if zone != "" and not is_time_zone(zone)}
    levels: dict[str, dict[str, Any]] = {}
    for level, raw in (("call", call or {}), ("schedule", given)):
        try:
            levels[level] = schedule_settings.parse(raw)
        except InvalidSettings as refused:
            errors |= {f"{level}.{path}": reasons for path, reasons in refused.errors.items()}
    if errors:
        raise InvalidSettings(errors)
    default = RetryPolicy.objects.in_workspace(workspace.pk).filter(is_default=True, archived_at=None).first()
    return Question(
        phone=phone,
        time_zone=timezone,
        first_attempt_at=first_attempt_at,
        outcomes=outcomes,
        workspace_zone=workspace.time_zone,
        call=levels["call"],
        campaign=levels["schedule"],
        campaign_zone=zones["schedule.timezone"],
        workspace=workspace.schedule,
        campaign_policy=policy.rules if policy else None,
        workspace_policy=default.rules if default else None,
        contact_limits=[workspace.contact_limits],
    )

"""Completes preview requests with a workspace's defaults, zone, limits and policies."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from callbacks.preview import RING_TIMEOUT, Question
from dialer.models import Campaign, RetryPolicy
from dialer.rules import schedule_settings
from dialer.rules.schedule_settings import InvalidSettings
from dialer.rules.time_zones import is_time_zone
from dialer.workspaces.models import Workspace

_NO_ZONE = "is not a known IANA time zone, such as Europe/Berlin"


def question_in(
    workspace: Workspace,
    *,
    first_attempt_at: datetime,
    outcomes: Sequence[str],
    phone: str = "",
    time_zone: str = "",
    call: Mapping[str, Any] | None = None,
    schedule: Mapping[str, Any] | None = None,
    policy: RetryPolicy | None = None,
    campaign: Campaign | None = None,
) -> Question:
    """Build a preview question from a client's settings, in either spelling; ``policy`` counts as the campaign's.

    ``campaign`` supplies ``schedule`` and ``policy`` where these are not given, its contact limits, and the ring time
    of its line. Raises ``InvalidSettings`` naming every invalid field.
    """
    if campaign is not None and schedule is None:
        schedule = {**campaign.schedule, "time_zone": campaign.time_zone}
    if campaign is not None and policy is None:
        policy = campaign.retry_policy
    given = dict(schedule or {})
    fallback: Any = given.pop("time_zone", None)
    zones = {"time_zone": time_zone, "schedule.time_zone": "" if fallback is None else fallback}
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
        time_zone=time_zone,
        first_attempt_at=first_attempt_at,
        outcomes=outcomes,
        workspace_zone=workspace.time_zone,
        call=levels["call"],
        campaign=levels["schedule"],
        campaign_zone=zones["schedule.time_zone"],
        workspace=workspace.schedule,
        campaign_policy=policy.rules if policy else None,
        workspace_policy=default.rules if default else None,
        contact_limits=[workspace.contact_limits, campaign.contact_limits if campaign else None],
        ring_timeout=timedelta(seconds=campaign.line.ring_timeout_seconds) if campaign else RING_TIMEOUT,
    )

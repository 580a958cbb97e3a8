"""The settings in force for a campaign or a call, each with the level that it comes from.

The rules that schedule and place calls resolve them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callbacks.rules.settings import resolved
from dialer.models import Call, Campaign, RetryPolicy
from dialer.rules.default_retries import DEFAULT_RULES
from dialer.rules.time_zones import fallback_zone
from dialer.rules.window_settings import DEFAULT_HOURS, window_in_force
from dialer.workspaces.models import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value and its level: call, campaign, line, policy, workspace or default."""

    value: Any
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSettings:
    """``max_callback_attempts`` and ``callback_retry_schedule`` are ``None`` where the policy's rules decide."""

    auto_callback: Setting
    max_callback_attempts: Setting
    callback_retry_schedule: Setting
    retry_rules: Setting
    calling_hours: Setting
    days: Setting
    holidays: Setting
    time_zone: Setting
    contact_limits: list[Setting]
    calls_per_second: Setting
    max_concurrent_calls: Setting
    stale_after_hours: Setting


def of_campaign(campaign: Campaign) -> EffectiveSettings:
    """Return what holds for calls of a campaign that have no settings of their own."""
    return _effective(campaign.workspace, campaign=campaign, call=None)


def of_call(call: Call) -> EffectiveSettings:
    """Return what holds for a call and its retries."""
    return _effective(call.workspace, campaign=call.campaign, call=call)


def _effective(workspace: Workspace, *, campaign: Campaign | None, call: Call | None) -> EffectiveSettings:
    schedules: dict[str, Mapping[str, Any]] = {
        "call": call.schedule if call else {},
        "campaign": campaign.schedule if campaign else {},
        "workspace": workspace.schedule,
    }
    window = window_in_force(**schedules, country=None)  # which level gives the days does not depend on the country
    named = campaign.retry_policy if campaign else None
    default = RetryPolicy.objects.in_workspace(workspace.pk).filter(is_default=True, archived_at=None).first()
    retries = resolved(
        **schedules,
        campaign_policy=named.rules if named else None,
        workspace_policy=default.rules if default else None,
    )
    zone = fallback_zone(campaign=campaign.time_zone if campaign else "", workspace=workspace.time_zone)
    policy = named or default

    def given(field: str, level: str, default_value: object = None) -> Setting:
        return Setting(value=schedules.get(level, {}).get(field, default_value), level=level)

    return EffectiveSettings(
        auto_callback=Setting(value=retries.auto_callback, level=retries.auto_callback_level),
        max_callback_attempts=Setting(value=retries.limit, level=retries.limit_level),
        callback_retry_schedule=given("callback_retry_schedule", retries.schedule_level),
        retry_rules=Setting(
            value=policy.rules if policy else DEFAULT_RULES, level=retries.policy_level if policy else "default"
        ),
        calling_hours=given("calling_hours", window.hours_level, DEFAULT_HOURS),
        days=given("days", window.days_level),
        holidays=given("holidays", window.holidays_level),
        time_zone=Setting(value=zone.zone, level=zone.source),
        contact_limits=[
            Setting(value=limit, level=level)
            for level, limits in (
                ("workspace", workspace.contact_limits),
                ("campaign", campaign.contact_limits if campaign else None),
            )
            for limit in limits or ()
        ],
        calls_per_second=_smallest("calls_per_second", workspace, campaign, call),
        max_concurrent_calls=_smallest("max_concurrent_calls", workspace, campaign, call),
        stale_after_hours=Setting(value=workspace.stale_after_hours, level="workspace"),
    )


def _smallest(field: str, workspace: Workspace, campaign: Campaign | None, call: Call | None) -> Setting:
    """Return the smallest limit of campaign, line and workspace, which is the one that applies."""
    line = call.line if call else campaign.line if campaign else None
    owners = (("campaign", campaign), ("line", line), ("workspace", workspace))
    limits = [(value, level) for level, owner in owners if (value := getattr(owner, field, None)) is not None]
    value, level = min(limits, default=(None, "default"))
    return Setting(value=value, level=level)

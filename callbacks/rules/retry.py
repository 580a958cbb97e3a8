"""Decides whether and when an automatic callback follows a call that has ended.

Settings resolve field by field over three levels; the answer names the level that gave each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from dialer.rules.default_retries import DEFAULT_RULES


class Level(StrEnum):
    """Where a value came from, most specific first."""

    CALL = "call"
    CAMPAIGN = "campaign"
    POLICY = "policy"
    WORKSPACE = "workspace"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """The three fields of one level; ``None`` leaves a field to the next level."""

    auto_callback: bool | None = None
    max_callback_attempts: int | None = None
    callback_retry_schedule: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRule:
    """A retry policy's rule for one outcome: delays in minutes, of which the last one repeats, and the limit."""

    delays: tuple[int, ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The rules by outcome; an outcome without a rule is not retried."""

    rules: Mapping[str, OutcomeRule] = field(default_factory=dict)


DEFAULT_POLICY = RetryPolicy(
    rules={
        outcome: OutcomeRule(delays=tuple(rule["delays"]), limit=rule["limit"])
        for outcome, rule in DEFAULT_RULES.items()
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Settings in force for one call, each with the level it came from."""

    auto_callback: bool
    auto_callback_level: Level
    limit: int | None
    limit_level: Level
    schedule: tuple[int, ...] | None
    schedule_level: Level
    policy: RetryPolicy
    policy_level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A callback is due: the delay, its number (1 is the first), the limit, and the levels that gave them."""

    candidate: datetime
    delay_minutes: int
    delay_level: Level
    number: int
    limit: int
    limit_level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """No automatic callback follows; ``reason`` says why."""

    reason: str


def resolve(
    *,
    call: RetrySettings,
    campaign: RetrySettings,
    workspace: RetrySettings,
    campaign_policy: RetryPolicy | None,
    workspace_policy: RetryPolicy = DEFAULT_POLICY,
) -> Resolved:
    """Resolve each field on its own: call, else campaign, else workspace, else unset.

    A policy named on the campaign hides the workspace's schedule and limit.
    """
    if campaign_policy is not None:
        workspace = RetrySettings(auto_callback=workspace.auto_callback)
    levels = ((Level.CALL, call), (Level.CAMPAIGN, campaign), (Level.WORKSPACE, workspace))
    auto_level, auto = next(
        ((level, s.auto_callback) for level, s in levels if s.auto_callback is not None), (Level.DEFAULT, True)
    )
    limit_level, limit = next(
        ((level, s.max_callback_attempts) for level, s in levels if s.max_callback_attempts is not None),
        (Level.POLICY, None),
    )
    schedule_level, schedule = next(
        ((level, s.callback_retry_schedule) for level, s in levels if s.callback_retry_schedule is not None),
        (Level.POLICY, None),
    )
    return Resolved(
        auto_callback=auto,
        auto_callback_level=auto_level,
        limit=limit,
        limit_level=limit_level,
        schedule=schedule,
        schedule_level=schedule_level,
        policy=campaign_policy if campaign_policy is not None else workspace_policy,
        policy_level=Level.CAMPAIGN if campaign_policy is not None else Level.WORKSPACE,
    )


def decide(settings: Resolved, *, outcome: str, ended_at: datetime, used: int) -> Retry | Stop:
    """Decide what follows a call that ended with ``outcome`` at ``ended_at``.

    ``used`` counts the automatic callbacks of the chain that were dialled or skipped. The time of the retry is not yet
    moved into the calling window.
    """
    rule = settings.policy.rules.get(outcome)
    if rule is None:
        return Stop(reason=outcome)
    if not settings.auto_callback:
        return Stop(reason="auto_callback_off")
    if settings.limit is not None:
        limit, limit_level = settings.limit, settings.limit_level
    elif settings.schedule is not None:
        limit, limit_level = len(settings.schedule), settings.schedule_level
    else:
        limit, limit_level = rule.limit, settings.policy_level
    if used >= limit:
        return Stop(reason="exhausted")
    delay = _delay(settings, rule, used=used)
    return Retry(
        candidate=ended_at + timedelta(minutes=delay),
        delay_minutes=delay,
        delay_level=settings.schedule_level if settings.schedule is not None else settings.policy_level,
        number=used + 1,
        limit=limit,
        limit_level=limit_level,
    )


def delay_before(settings: Resolved, *, outcome: str, number: int) -> timedelta:
    """Return the delay before retry ``number`` of calls that ended with ``outcome``, by the current settings.

    It is zero if the outcome is not retried any more.
    """
    rule = settings.policy.rules.get(outcome)
    if rule is None:
        return timedelta()
    return timedelta(minutes=_delay(settings, rule, used=number - 1))


def _delay(settings: Resolved, rule: OutcomeRule, *, used: int) -> int:
    delays = settings.schedule if settings.schedule is not None else rule.delays
    return delays[min(used, len(delays) - 1)]

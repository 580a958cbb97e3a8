"""Reads stored retry settings into the types of the retry rules."""

from collections.abc import Mapping
from typing import Any

from callbacks.rules.retry import DEFAULT_POLICY, OutcomeRule, Resolved, RetryPolicy, RetrySettings, resolve

Stored = Mapping[str, Any]


def resolved(
    *,
    call: Stored,
    campaign: Stored,
    workspace: Stored,
    campaign_policy: Stored | None,
    workspace_policy: Stored | None,
) -> Resolved:
    """Resolve the stored settings of the three levels and the two policies."""
    return resolve(
        call=_settings(call),
        campaign=_settings(campaign),
        workspace=_settings(workspace),
        campaign_policy=_policy(campaign_policy) if campaign_policy is not None else None,
        workspace_policy=_policy(workspace_policy) if workspace_policy is not None else DEFAULT_POLICY,
    )


def _settings(stored: Stored) -> RetrySettings:
    delays = stored.get("callback_retry_schedule")
    return RetrySettings(
        auto_callback=stored.get("auto_callback"),
        max_callback_attempts=stored.get("max_callback_attempts"),
        callback_retry_schedule=tuple(delays) if delays else None,
    )


def _policy(stored: Stored) -> RetryPolicy:
    return RetryPolicy(
        rules={
            outcome: OutcomeRule(delays=tuple(rule["delays"]), limit=rule["limit"]) for outcome, rule in stored.items()
        }
    )

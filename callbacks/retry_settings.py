"""The retry settings of a call, resolved from its own, its campaign's, its workspace's, and their policies."""

from functools import lru_cache

from callbacks.rules.retry import Resolved
from callbacks.rules.settings import resolved
from dialer.calls.context import CallContext, parsed


def settings_of(call: CallContext) -> Resolved:
    return _resolved(
        call.call_schedule,
        call.campaign_schedule,
        call.workspace_schedule,
        call.campaign_policy,
        call.workspace_policy,
    )


@lru_cache(maxsize=1_024)
def _resolved(
    call: str | None,
    campaign: str | None,
    workspace: str | None,
    campaign_policy: str | None,
    workspace_policy: str | None,
) -> Resolved:
    """Resolve stored JSON; it is the same text for all calls of a campaign without settings of their own."""
    return resolved(
        call=parsed(call) or {},
        campaign=parsed(campaign) or {},
        workspace=parsed(workspace) or {},
        campaign_policy=parsed(campaign_policy),
        workspace_policy=parsed(workspace_policy),
    )

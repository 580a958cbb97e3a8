"""The retry settings of a call, resolved from its own, its campaign's, its workspace's, and their policies."""

from callbacks.rules.retry import Resolved
from callbacks.rules.settings import resolved
from dialer.calls.context import CallContext, parsed


def settings_of(call: CallContext) -> Resolved:
    return resolved(
        call=parsed(call.call_schedule) or {},
        campaign=parsed(call.campaign_schedule) or {},
        workspace=parsed(call.workspace_schedule) or {},
        campaign_policy=parsed(call.campaign_policy),
        workspace_policy=parsed(call.workspace_policy),
    )

"""Closes a workspace, and opens it again within 30 days; after that :mod:`dialer.retention.purging` deletes its rows.

A closed workspace calls nobody, sends nothing and answers nobody: its campaigns are cancelled, its endpoints are off,
its keys are revoked, its report addresses are dead, and its members do not see it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from dialer.calls import calls
from dialer.campaigns import imports, lifecycle
from dialer.models import Call, Campaign
from dialer.rules.statuses import CAMPAIGN_OVER, LIVE, CallStatus
from dialer.rules.withdrawals import Withdrawal
from dialer.workspaces import api_keys
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.models import Workspace
from dialer.workspaces.transitions import TransitionConflict
from webhooks import endpoints

KEPT = timedelta(days=30)
"""How long a closed workspace can be opened again."""
_BATCH = 1_000


class CallsUnderWay(Exception):
    """People are on the phone; the workspace can be closed when they have hung up."""


def close(workspace_id: UUID, *, actor: Actor, reason: str = "", now: datetime) -> Workspace:
    """Close a workspace. Raises :class:`CallsUnderWay`, ``TransitionConflict`` if it is closed.

    A call that is being handed over in this moment ends as usual. Large campaigns are wound down in batches afterwards.
    """
    with transaction.atomic():
        # The claim takes the same lock first.
        workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)
        if workspace.closed_at is not None:
            raise TransitionConflict(what="the workspace", from_="closed", to="closed")
        mine = Call.objects.in_workspace(workspace_id)
        if mine.filter(status__in=LIVE).exists():
            message = "calls are under way; close the workspace when they have ended"
            raise CallsUnderWay(message)
        workspace.closed_at = now
        workspace.save(update_fields=["closed_at"])
        why = reason or "the workspace is closed"
        for campaign_id in _open_campaigns(workspace_id):
            lifecycle.cancel(campaign_id, workspace_id=workspace_id, actor=actor, reason=why, now=now)
        alone = mine.filter(status=CallStatus.QUEUED, campaign=None).order_by("id").values_list("pk", flat=True)
        while batch := list(alone[:_BATCH]):
            calls.withdraw(batch, why=Withdrawal.CANCELLED, now=now)
        imports.stop_open(workspace_id, now=now)
        api_keys.revoke_all(workspace_id, actor=actor, reason=why, now=now)
        endpoints.deactivate_all(workspace_id, actor=actor, reason=why, now=now)
        record(actor, [_change(workspace, "close", reason)], now=now)
    return workspace


def reopen(workspace_id: UUID, *, actor: Actor, reason: str = "", now: datetime) -> Workspace:
    """Open a closed workspace again; raises ``TransitionConflict`` if it is open, or was closed 30 days ago.

    What closing ended stays ended: make new keys, switch endpoints on, start new campaigns.
    """
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)
        if workspace.closed_at is None or workspace.closed_at <= now - KEPT:
            from_ = "open" if workspace.closed_at is None else "being deleted"
            raise TransitionConflict(what="the workspace", from_=from_, to="reopened")
        workspace.closed_at = None
        workspace.save(update_fields=["closed_at"])
        # A request that began before the closing may have made them since.
        api_keys.revoke_all(workspace_id, actor=actor, reason="the workspace was closed", now=now)
        endpoints.deactivate_all(workspace_id, actor=actor, reason="the workspace was closed", now=now)
        record(actor, [_change(workspace, "reopen", reason)], now=now)
    return workspace


def _open_campaigns(workspace_id: UUID) -> list[UUID]:
    mine = Campaign.objects.in_workspace(workspace_id).exclude(status__in=CAMPAIGN_OVER)
    return list(mine.order_by("id").values_list("pk", flat=True))


def _change(workspace: Workspace, verb: str, reason: str) -> Change:
    return Change(
        workspace_id=workspace.pk, verb=verb, object_type="workspace", object_id=workspace.public_id, reason=reason
    )

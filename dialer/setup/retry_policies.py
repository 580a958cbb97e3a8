"""Retry policies: how often and after which delays a contact is called back, by outcome."""

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import TypedDict, Unpack
from uuid import UUID

from django.db import transaction

from dialer.models import RetryPolicy
from dialer.rules import schedule_settings
from dialer.rules.default_retries import DEFAULT_RULES
from dialer.setup import recipe
from dialer.setup.recipe import Readers
from dialer.workspaces import values
from dialer.workspaces.audit import Actor
from dialer.workspaces.values import LONGEST_NAME

_LONGEST_STEM = LONGEST_NAME - 8


class DefaultNeeded(Exception):
    """The workspace's default policy cannot be archived; make another one the default first."""


class PolicyFields(TypedDict, total=False):
    """``rules`` takes either form of :func:`~dialer.rules.schedule_settings.parse_retry_policy`."""

    name: str
    rules: Mapping[str, object]
    is_default: bool


def ensure_default_policy(workspace_id: UUID, *, now: datetime) -> RetryPolicy:
    """Return the workspace's default policy; creates it from the documented defaults if there is none."""
    found: RetryPolicy | None = (
        RetryPolicy.objects.in_workspace(workspace_id).filter(is_default=True, archived_at=None).first()
    )
    if found is not None:
        return found
    made: RetryPolicy = RetryPolicy.objects.create(
        workspace_id=workspace_id, name="Default", rules=DEFAULT_RULES, is_default=True, created_at=now
    )
    return made


def create_policy(workspace_id: UUID, *, actor: Actor, now: datetime, **fields: Unpack[PolicyFields]) -> RetryPolicy:
    """Make a retry policy; a new default replaces the former one."""
    columns = recipe.read(fields, _POLICY, required=("name", "rules"))
    return recipe.create(RetryPolicy, workspace_id, columns, actor=actor, now=now)


def policy_with(
    workspace_id: UUID, rules: Mapping[str, object], *, name: str, actor: Actor, now: datetime
) -> RetryPolicy:
    """Return the oldest policy with these rules; makes one called ``name``, with a number if it is taken, else."""
    policies = recipe.live(RetryPolicy, workspace_id)
    found = policies.filter(rules=rules).order_by("id").first()
    if found is not None:
        return found
    names = (f"{name[:_LONGEST_STEM]} {number}" if number > 1 else name for number in count(1))
    free = next(name for name in names if not policies.filter(name=name).exists())
    return create_policy(workspace_id, name=free, rules=rules, actor=actor, now=now)


def edit_policy(
    policy_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime, **fields: Unpack[PolicyFields]
) -> RetryPolicy:
    """Change a policy; it applies to outcomes from now on, pending callbacks keep their time."""
    columns = recipe.read(fields, _POLICY)
    with transaction.atomic():
        policy = RetryPolicy.objects.in_workspace(workspace_id).get(pk=policy_id)
        if columns.get("is_default") is False and policy.is_default:
            raise DefaultNeeded(DefaultNeeded.__doc__)
        return recipe.edit(RetryPolicy, policy_id, workspace_id, columns, actor=actor, now=now)


def archive_policy(policy_id: UUID, *, workspace_id: UUID, actor: Actor, now: datetime) -> RetryPolicy:
    """Archive a policy; raises :class:`DefaultNeeded` for the default one."""
    with transaction.atomic():
        if RetryPolicy.objects.in_workspace(workspace_id).get(pk=policy_id).is_default:
            raise DefaultNeeded(DefaultNeeded.__doc__)
        return recipe.archive(RetryPolicy, policy_id, workspace_id, actor=actor, now=now)


_POLICY: Readers = {
    "name": values.name,
    "rules": schedule_settings.parse_retry_policy,
    "is_default": values.boolean,
}

"""Audit entries about people: one in each of their workspaces, or one of the installation if they have none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.client import Client
from dialer.workspaces.models import AuditEntry, Member

_FAILURES = ("fail_sign_in", "fail_second_factor")
_KIND = "user"


def somebody(client: Client) -> Actor:
    """Return the actor of attempts to sign in: nobody knows yet who it is."""
    return Actor(kind="system", label="Somebody not signed in", client=client)


def note(
    user: User, verb: str, *, actor: Actor, now: datetime, to_state: Mapping[str, Any] | None = None, reason: str = ""
) -> None:
    """Write the entries of one fact about a person."""
    found: Iterable[UUID | None] = Member.objects.filter(user=user).values_list("workspace_id", flat=True)
    state = {"username": user.get_username(), **(to_state or {})}
    record(
        actor,
        [
            Change(
                workspace_id=workspace_id,
                verb=verb,
                object_type=_KIND,
                object_id=str(user.pk),
                to_state=state,
                reason=reason,
            )
            for workspace_id in list(found) or [None]
        ],
        now=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Attempts to sign in as a person that failed since the last one that did not."""

    count: int
    last_at: datetime
    last_address: str | None


def failures_of(user: User) -> Failures | None:
    about = AuditEntry.objects.filter(object_type=_KIND, object_id=str(user.pk)).order_by("-id")
    last = about.filter(verb="sign_in").values_list("id", flat=True).first()
    failed = about.filter(verb__in=_FAILURES, id__gt=last or 0)
    newest = failed.first()
    if newest is None:
        return None
    # The entries of one attempt, in several workspaces, have one time.
    count = failed.order_by().values("at").distinct().count()
    return Failures(count=count, last_at=newest.at, last_address=newest.address)

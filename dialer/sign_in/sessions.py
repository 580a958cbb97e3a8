"""Sessions: when somebody is signed in, and how that ends."""

import logging
from datetime import datetime

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from dialer.sign_in import journal
from dialer.sign_in.models import Session
from dialer.sign_in.store import SIGNED_IN, hashed
from dialer.workspaces.audit import Actor

log = logging.getLogger(__name__)


def begin(session: SessionBase, user: User, *, actor: Actor, now: datetime) -> None:
    """Note that the person is signed in, with the second factor if there is one."""
    client = actor.client
    session.cycle_key()
    session.set_expiry(None)
    session[SIGNED_IN] = {"at": now.isoformat(), "address": client.address, "agent": client.agent}
    journal.note(user, "sign_in", actor=actor, now=now)
    log.info("sign_in.done user=%s address=%s", user.pk, client.address)


def end(session: Session, *, actor: Actor, reason: str, now: datetime) -> bool:
    """End a session; returns whether it was there."""
    with transaction.atomic():
        ended, _ = Session.objects.filter(pk=session.pk).delete()
        if ended:
            assert session.user is not None
            state = {"address": session.address, "agent": session.agent}
            journal.note(session.user, "end_session", actor=actor, now=now, to_state=state, reason=reason)
    return bool(ended)


def end_others(user: User, *, but: str, actor: Actor, now: datetime) -> int:
    """End the person's sessions except the one with the key ``but``; returns how many people could see ended."""
    with transaction.atomic():
        others = Session.objects.filter(user=user).exclude(pk=hashed(but))
        count = others.filter(began_at__isnull=False).count()
        others.delete()
        journal.note(user, "end_other_sessions", actor=actor, now=now, to_state={"ended": count})
    return count


def forget(*, limit: int, now: datetime) -> int:
    """Delete up to ``limit`` expired sessions; returns how many."""
    expired = Session.objects.filter(expire_date__lte=now).order_by("expire_date").values("pk")[:limit]
    deleted, _ = Session.objects.filter(pk__in=expired).delete()
    return deleted


class PasswordEndsSessions:
    """A validator of ``AUTH_PASSWORD_VALIDATORS``: Django tells it of every changed password, however it is changed."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept every password."""

    def get_help_text(self) -> str:
        return "A new password ends all other sessions of its user."

    def password_changed(self, password: str, user: User | None = None) -> None:  # noqa: ARG002 — Django's signature
        if user is not None and user.pk is not None:
            Session.objects.filter(user=user).delete()

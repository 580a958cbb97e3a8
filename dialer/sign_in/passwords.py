"""Attempts to sign in with a password: limited, logged, and in the audit if the name is a user's."""

import logging
from datetime import datetime
from typing import TypedDict, Unpack

from django.contrib.auth.models import User

from dialer.sign_in import journal, throttle
from dialer.workspaces.client import Client

log = logging.getLogger(__name__)


class Tried(TypedDict):
    """Where and when somebody tries."""

    client: Client
    now: datetime


def begin(name: str, **tried: Unpack[Tried]) -> None:
    """Count an attempt before the password is checked; raises ``throttle.Locked``, ``throttle.NotCountable``."""
    try:
        throttle.attempt(name, tried["client"].address)
    except throttle.Locked as locked:
        if locked.is_news:
            _tell("locked", "lock_sign_in", name if locked.limit is throttle.ACCOUNT else None, **tried)
        raise


def failed(name: str, **tried: Unpack[Tried]) -> None:
    throttle.failed(tried["client"].address)
    _tell("failed", "fail_sign_in", name, **tried)


def succeeded(name: str) -> None:
    throttle.succeeded(name)


def _tell(event: str, verb: str, name: str | None, **tried: Unpack[Tried]) -> None:
    """Log what happened, without the name: people type passwords there. Write an entry if the name is a user's."""
    user = User.objects.filter(username=name).first()
    log.warning("sign_in.%s user=%s address=%s", event, user.pk if user else "unknown", tried["client"].address)
    if user is not None:
        journal.note(user, verb, actor=journal.somebody(tried["client"]), now=tried["now"])

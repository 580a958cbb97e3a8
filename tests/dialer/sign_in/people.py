"""People with passwords and authenticator apps."""

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dialer.sign_in import second_factor
from dialer.sign_in.models import Session
from dialer.sign_in.store import SessionStore
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import Member, Workspace

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery staple"  # noqa: S105 — of users that exist in tests alone
WRONG = "not the password at all"


def forget_attempts() -> None:
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


def make_person(name: str, workspace: Workspace | None = None, **fields: Any) -> User:
    user = User.objects.create_user(username=name, password=PASSWORD, is_staff=True, **fields)
    if workspace is not None:
        Member.objects.create(workspace=workspace, user=user, role="manager")
    return user


def sign_in(name: str, password: str = PASSWORD, *, client: Client | None = None, **headers: str) -> Any:
    return (client or Client()).post(LOGIN, {"username": name, "password": password}, **headers)  # type: ignore[arg-type]


def browser_of(user: User) -> Client:
    """Return a browser in which the person gave the password."""
    client = Client()
    assert sign_in(user.get_username(), client=client).status_code == 302
    return client


def make_session(user: User, *, address: str = "203.0.113.9", agent: str = "Firefox") -> Session:
    """Make a session in which the person is signed in."""
    now = database_now()
    return Session.objects.create(
        pk=secrets.token_hex(32),
        session_data=SessionStore().encode({}),
        expire_date=now + timedelta(hours=12),
        user=user,
        address=address,
        agent=agent,
        began_at=now,
        seen_at=now,
    )


def is_inside(client: Client) -> bool:
    return bool(client.get(reverse("admin:index")).status_code == 200)


@dataclass
class App:
    """An authenticator app that knows one secret."""

    secret: str

    def code(self, at: datetime | None = None, *, steps: int = 0) -> str:
        at = (at or database_now()) + timedelta(seconds=30 * steps)
        return TOTP(base64.b32decode(self.secret), 6, SHA1(), 30).generate(int(at.timestamp())).decode()  # noqa: S303


def with_app(user: User) -> tuple[App, list[str]]:
    """Give the person a second factor whose last code is two minutes old; return the app and the recovery codes."""
    app = App(second_factor.new_secret())
    earlier = database_now() - timedelta(minutes=2)
    return app, second_factor.set_up(user, app.secret, app.code(earlier), actor=SYSTEM, now=earlier)


def app_of(page: Any) -> App:
    """Scan the page that sets up a second factor."""
    found = re.search(r"([A-Z2-7]{32})</code>", page.content.decode())
    assert found is not None
    return App(found[1])


def codes_of(page: Any) -> list[str]:
    return re.findall(r"<li>((?:[A-Z2-7]{4}-){3}[A-Z2-7]{4})</li>", page.content.decode())

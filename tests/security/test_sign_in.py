"""Attacks on the sign-in: guessed passwords and codes, forged addresses, stolen tables, old sessions."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from dialer.sign_in import throttle
from dialer.workspaces.models import AuditEntry, Workspace
from tests.dialer.sign_in.people import PASSWORD, WRONG, forget_attempts, make_person, sign_in
from tests.factories import make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nobody_has_tried_yet() -> Iterator[None]:
    forget_attempts()
    yield
    forget_attempts()


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def olga(workspace: Workspace) -> User:
    return make_person("olga", workspace)


def is_in(answer: Any) -> bool:
    return bool(answer.status_code == 302)


def test_a_password_cannot_be_guessed_by_trying_many(olga: User) -> None:
    for _ in range(10):
        assert not is_in(sign_in("olga", WRONG))

    refused = sign_in("olga", PASSWORD)

    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
    assert "locked until" in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_do_not_pass_the_limit_together(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    check_password = User.check_password

    def counted(user: User, raw_password: str) -> bool:
        checked.append(raw_password)
        return check_password(user, raw_password)

    monkeypatch.setattr(User, "check_password", counted)
    start = threading.Barrier(24)

    def guess() -> None:
        start.wait()
        sign_in("olga", WRONG)
        connection.close()

    threads = [threading.Thread(target=guess) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(checked) == 10


def test_one_address_cannot_try_a_password_on_everybody() -> None:
    for _ in range(49):
        throttle.failed("127.0.0.1")
    assert sign_in("somebody", WRONG).status_code == 200

    make_person("olga")
    assert sign_in("olga", PASSWORD).status_code == 429
    assert is_in(sign_in("olga", PASSWORD, REMOTE_ADDR="198.51.100.7"))


def test_many_people_of_one_address_sign_in_without_being_locked() -> None:
    for _ in range(49):
        throttle.failed("127.0.0.1")

    for number in range(3):
        make_person(f"operator-{number}")
        assert is_in(sign_in(f"operator-{number}", PASSWORD))


@pytest.mark.parametrize("trusted", [[], ["10.0.0.0/8"]])
def test_a_forged_address_neither_evades_the_limit_nor_frames_another(settings: Settings, trusted: list[str]) -> None:
    settings.TRUSTED_PROXIES = trusted
    make_person("olga")
    for _ in range(49):
        throttle.failed("203.0.113.9")
    sign_in("somebody", WRONG, REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="198.51.100.7, 10.0.0.1")

    assert sign_in("olga", PASSWORD, REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="192.0.2.1").status_code == 429
    assert is_in(sign_in("olga", PASSWORD, REMOTE_ADDR="198.51.100.7"))


def test_a_lock_looks_the_same_for_a_name_that_nobody_has(olga: User) -> None:
    def shown(name: str) -> list[tuple[int, str]]:
        answers = [sign_in(name, WRONG, REMOTE_ADDR="192.0.2.1") for _ in range(12)]
        forms = [answer.context_data["form"] for answer in answers]
        return [
            (answer.status_code, re.sub(r"\d\d:\d\d", "", form.errors.as_json()))
            for answer, form in zip(answers, forms, strict=True)
        ]

    known, unknown = shown("olga"), shown("nobody")

    assert known == unknown
    assert [status for status, _ in known] == [200] * 10 + [429] * 2
    assert entries("lock_sign_in") == 1, "one for all refusals of a quarter of an hour"


def test_nobody_signs_in_while_attempts_cannot_be_counted(olga: User, settings: Settings) -> None:
    inside = Client()
    assert is_in(sign_in("olga", PASSWORD, client=inside))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    refused = sign_in("olga", PASSWORD)

    assert refused.status_code == 503
    assert "cannot be counted" in refused.content.decode()
    assert inside.get(reverse("admin:index")).status_code == 200, "who is in stays in"


def test_who_reads_the_table_of_sessions_cannot_use_them(olga: User) -> None:
    client = Client()
    sign_in("olga", PASSWORD, client=client)
    key = client.cookies["sessionid"].value

    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if "session" in name]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} t")  # noqa: S608 — our own tables
            rows += [text for (text,) in cursor.fetchall()]

    assert rows
    assert not [row for row in rows if key in row]


def test_a_changed_password_ends_the_other_sessions(olga: User) -> None:
    mine, other = Client(), Client()
    for client in (mine, other):
        sign_in("olga", PASSWORD, client=client)
    fresh = "a wholly different one"

    mine.post(
        reverse("admin:password_change"), {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    )

    assert mine.get(reverse("admin:index")).status_code == 200
    assert other.get(reverse("admin:index")).status_code == 302
    assert entries("change_password") == 1


def test_failed_attempts_are_in_the_audit_and_told_to_the_person(olga: User, workspace: Workspace) -> None:
    for _ in range(3):
        sign_in("olga", WRONG, REMOTE_ADDR="203.0.113.9", HTTP_USER_AGENT="curl/8")
    client = Client()

    sign_in("olga", PASSWORD, client=client)

    page = client.get(reverse("admin:index")).content.decode()
    assert "3 attempts to sign in as you failed" in page
    assert "203.0.113.9" in page
    failed = AuditEntry.objects.in_workspace(workspace.pk).filter(verb="fail_sign_in")
    assert {(entry.address, entry.agent, entry.object_id) for entry in failed} == {
        ("203.0.113.9", "curl/8", str(olga.pk))
    }
    assert entries("sign_in") == 1


def entries(verb: str) -> int:
    return AuditEntry.objects.filter(verb=verb).count()

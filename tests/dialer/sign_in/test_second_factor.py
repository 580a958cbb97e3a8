"""Codes of apps and recovery codes: who is asked for them, which count, and what a stolen one is worth."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django.fixtures import Settings

from dialer.sign_in import second_factor
from dialer.sign_in.models import RecoveryCode, SecondFactor, Session
from dialer.sign_in.second_factor import WrongCode
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Member, Workspace
from tests.admin.people import CONFIRMED
from tests.admin.people import browser_of as any_browser
from tests.dialer.sign_in.people import (
    PASSWORD,
    App,
    app_of,
    browser_of,
    codes_of,
    is_inside,
    make_person,
    sign_in,
    with_app,
)

pytestmark = pytest.mark.django_db

CODE, SET_UP, MINE = "/admin/two-factor/code/", "/admin/two-factor/set-up/", "/admin/two-factor/"


@pytest.fixture
def olga(workspace: Workspace) -> User:
    return make_person("olga", workspace)


def verbs() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("verb", flat=True))


def test_password_and_code_sign_in_and_lead_to_the_page_that_was_wanted(olga: User) -> None:
    app, _ = with_app(olga)
    wanted = reverse("admin:dialer_contact_changelist")
    client = Client()

    asked = client.post(f"/admin/login/?next={wanted}", {"username": "olga", "password": PASSWORD})
    answer = client.post(asked.headers["Location"], {"code": app.code()})

    assert asked.headers["Location"].startswith(CODE)
    assert answer.headers["Location"] == wanted
    assert is_inside(client)
    assert verbs() == ["set_up_second_factor", "sign_in"]


def test_a_foreign_page_is_not_led_to(olga: User) -> None:
    app, _ = with_app(olga)

    answer = browser_of(olga).post(f"{CODE}?next=https://evil.example/", {"code": app.code()})

    assert answer.headers["Location"] == reverse("admin:index")


def test_a_password_alone_opens_no_page_at_all(olga: User) -> None:
    with_app(olga)
    half = browser_of(olga)

    opened = [page for page in admin_pages() if half.get(page).status_code == 200]

    assert opened == [CODE]


@pytest.mark.parametrize("is_superuser", [False, True])
def test_a_workspace_that_requires_it_is_closed_until_it_is_set_up(
    olga: User,
    workspace: Workspace,
    is_superuser: bool,  # noqa: FBT001 — a parameter
) -> None:
    inside = browser_of(olga) if not is_superuser else browser_of(make_person("root", is_superuser=True))
    assert is_inside(inside)
    Workspace.objects.update(requires_two_factor=True)

    assert not is_inside(inside), "from the next request on"
    page = inside.get(reverse("admin:index"), follow=True)
    assert page.redirect_chain[-1][0].startswith(SET_UP)
    done = inside.post(SET_UP, {"code": app_of(page).code()})

    assert len(codes_of(done)) == 10
    assert is_inside(inside)


def test_members_of_other_workspaces_are_not_asked(workspace: Workspace) -> None:
    max_ = make_person("max", Workspace.objects.create(name="Globex"))
    Workspace.objects.filter(pk=workspace.pk).update(requires_two_factor=True)

    assert is_inside(browser_of(max_))


def test_a_code_counts_once(olga: User) -> None:
    app, _ = with_app(olga)
    code = app.code()
    assert browser_of(olga).post(CODE, {"code": code}).status_code == 302

    replayed = browser_of(olga).post(CODE, {"code": code})

    assert "wrong, too old, or was used before" in replayed.content.decode()
    assert verbs()[-1] == "fail_second_factor"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_many_who_use_one_code_at_once_one_gets_in(olga: User, kind: str) -> None:
    app, codes = with_app(olga)
    code = app.code() if kind == "app" else codes[0]
    now, start, taken = database_now(), threading.Barrier(5), []

    def use() -> None:
        start.wait()
        try:
            second_factor.verify(olga, code, actor=SYSTEM, now=now)
            taken.append(1)
        except WrongCode:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1


@pytest.mark.parametrize(("steps", "counts"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_half_a_minute(olga: User, steps: int, counts: bool) -> None:  # noqa: FBT001 — a parameter
    app, _ = with_app(olga)
    now = database_now()

    try:
        second_factor.verify(olga, app.code(now, steps=steps), actor=SYSTEM, now=now)
        taken = True
    except WrongCode:
        taken = False

    assert taken == counts


def test_codes_are_those_of_the_standard() -> None:
    """The vectors of RFC 6238, appendix B, whose secret is this text."""
    app = App("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    user = make_person("rfc")
    for seconds, code in ((1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")):
        now = datetime.fromtimestamp(seconds, UTC)
        SecondFactor.objects.filter(user=user).delete()
        second_factor.set_up(user, app.secret, code, actor=SYSTEM, now=now)


def test_codes_cannot_be_guessed_by_trying_many(olga: User) -> None:
    app, codes = with_app(olga)
    half = browser_of(olga)
    answers = [half.post(CODE, {"code": "000000"}) for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert half.post(CODE, {"code": app.code()}).status_code == 429
    assert half.post(CODE, {"code": codes[0]}).status_code == 429
    assert verbs().count("fail_second_factor") == 5
    assert verbs().count("lock_second_factor") == 1


def test_a_recovery_code_signs_in_once(olga: User) -> None:
    _, codes = with_app(olga)
    first = browser_of(olga)

    assert first.post(CODE, {"code": codes[3].lower()}).status_code == 302
    assert is_inside(first)

    assert browser_of(olga).post(CODE, {"code": codes[3]}).status_code == 200
    assert AuditEntry.objects.get(verb="use_recovery_code").to_state == {"username": "olga", "left": 9}


def test_the_database_shows_neither_secret_nor_recovery_codes(olga: User) -> None:
    app, codes = with_app(olga)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT json_agg(t) FROM sign_in_secondfactor t)::text, "
            "(SELECT json_agg(t) FROM sign_in_recoverycode t)::text"
        )
        stored = " ".join(cursor.fetchone())

    assert RecoveryCode.objects.count() == 10
    assert app.secret not in stored
    assert app.secret.encode().hex() not in stored
    assert not [code for code in codes if code.replace("-", "").encode().hex() in stored]


def test_each_look_at_the_set_up_shows_another_secret(olga: User) -> None:
    """Who knows the password could note the secret, and wait until its owner uses it."""
    client = browser_of(olga)

    first, second = app_of(client.get(SET_UP)), app_of(client.get(SET_UP))
    refused = client.post(SET_UP, {"code": first.code()})

    assert first.secret != second.secret
    assert app_of(refused).secret == second.secret, "a typing error does not ask to scan again"
    assert not SecondFactor.objects.exists()


def test_it_is_turned_off_by_a_code_and_by_nothing_else(olga: User) -> None:
    app, _ = with_app(olga)
    client = browser_of(olga)
    client.post(CODE, {"code": app.code(steps=-1)})

    client.post(MINE, {"turn_off": "1", "code": "123456"})
    assert SecondFactor.objects.exists()
    client.post(MINE, {"turn_off": "1", "code": app.code()})

    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert is_inside(client)
    assert verbs()[-2:] == ["turn_off_second_factor", "end_other_sessions"]


def test_turning_it_off_where_it_is_required_leads_to_setting_it_up_again(olga: User, workspace: Workspace) -> None:
    app, codes = with_app(olga)
    client, other = browser_of(olga), browser_of(olga)
    client.post(CODE, {"code": app.code(steps=-1)})
    other.post(CODE, {"code": codes[0]})
    assert is_inside(other)
    Workspace.objects.update(requires_two_factor=True)

    client.post(MINE, {"turn_off": "1", "code": app.code()})

    assert not is_inside(client)
    assert not is_inside(other), "it gave a factor that is gone"


def test_new_recovery_codes_replace_the_old_ones(olga: User) -> None:
    app, old = with_app(olga)
    client = browser_of(olga)
    client.post(CODE, {"code": app.code(steps=-1)})

    new = codes_of(client.post(MINE, {"renew": "1", "code": app.code()}))

    assert len(new) == 10
    assert browser_of(olga).post(CODE, {"code": old[0]}).status_code == 200
    assert browser_of(olga).post(CODE, {"code": new[0]}).status_code == 302


def test_a_superuser_resets_it_and_nobody_else_does(olga: User, workspace: Workspace) -> None:
    app, _ = with_app(olga)
    inside = browser_of(olga)
    inside.post(CODE, {"code": app.code()})
    url = reverse("admin:sign_in_secondfactor_reset", args=[SecondFactor.objects.get().pk])

    any_browser(workspace, role="manager").post(url, {**CONFIRMED, "reason": "please"})
    assert SecondFactor.objects.exists()
    any_browser(None, is_superuser=True).post(url, {**CONFIRMED, "reason": "lost the phone"})

    assert not SecondFactor.objects.exists()
    assert not is_inside(inside)
    entry = AuditEntry.objects.get(verb="reset_second_factor")
    assert (entry.object_id, entry.reason, entry.address) == (str(olga.pk), "lost the phone", "127.0.0.1")


def test_it_is_reset_while_attempts_cannot_be_counted(olga: User, settings: Settings) -> None:
    with_app(olga)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert second_factor.reset(olga, actor=SYSTEM, reason="", now=database_now())


def test_a_command_resets_it_where_the_only_superuser_lost_it(olga: User) -> None:
    with_app(olga)

    call_command("reset_second_factor", "olga", reason="lost the phone")

    assert not SecondFactor.objects.exists()
    with pytest.raises(CommandError, match="no second factor"):
        call_command("reset_second_factor", "olga")


def test_half_way_lasts_ten_minutes_and_is_no_session_that_anybody_sees(olga: User) -> None:
    with_app(olga)
    half = browser_of(olga)

    session = Session.objects.get(user=olga)

    assert session.expire_date - database_now() <= timedelta(minutes=10)
    assert not Session.objects.visible_to(olga).exists()
    assert sign_in("olga", client=half).headers["Location"].startswith(CODE), "the password again changes nothing"


def test_somebody_who_becomes_a_member_later_is_asked_too(workspace: Workspace) -> None:
    max_ = make_person("max")
    Workspace.objects.update(requires_two_factor=True)
    inside = browser_of(max_)
    assert is_inside(inside)

    Member.objects.create(workspace=workspace, user=max_, role="viewer")

    assert not is_inside(inside)


def admin_pages() -> list[str]:
    """Return every path under ``/admin/`` without parameters."""
    return sorted({f"/admin/{path}" for path in _paths(get_resolver().url_patterns, inside=False)})


def _paths(patterns: Any, *, inside: bool) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            is_admin = route == "admin/"
            if inside or is_admin:
                inner = _paths(pattern.url_patterns, inside=True)
                found += [path if is_admin else route + path for path in inner]
        elif isinstance(pattern, URLPattern) and inside and "<" not in route and "(" not in route:
            found.append(route)
    return found

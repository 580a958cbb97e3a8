"""Sessions: who sees them, who ends them, and what ends them by itself."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dialer.sign_in.models import Session
from dialer.sign_in.store import hashed
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Workspace
from tests.admin.people import CONFIRMED, said
from tests.dialer.sign_in.people import LOGIN, PASSWORD, browser_of, is_inside, make_person, make_session, sign_in

pytestmark = pytest.mark.django_db

LIST = "/admin/sign_in/session/"


@pytest.fixture
def olga(workspace: Workspace) -> User:
    return make_person("olga", workspace)


def row_of(client: Client) -> Session:
    return Session.objects.get(pk=hashed(client.cookies["sessionid"].value))


def end(client: Client, row: Session) -> None:
    client.post(reverse("admin:sign_in_session_end", args=[row.pk]), {**CONFIRMED, "reason": "lost laptop"})


def test_a_session_says_whose_it_is_since_when_and_from_where(olga: User) -> None:
    client = Client()

    sign_in("olga", client=client, REMOTE_ADDR="203.0.113.9", HTTP_USER_AGENT="Firefox")

    row = row_of(client)
    assert (row.user, row.address, row.agent) == (olga, "203.0.113.9", "Firefox")
    assert row.began_at is not None
    page = client.get(LIST).content.decode()
    assert "olga (this session)" in page
    assert "203.0.113.9" in page


def test_people_see_their_own_sessions_and_superusers_all(olga: User) -> None:
    make_session(make_person("max"), address="192.0.2.77")
    root = make_person("root", is_superuser=True)

    assert "192.0.2.77" not in browser_of(olga).get(LIST).content.decode()
    assert "192.0.2.77" in browser_of(root).get(LIST).content.decode()


def test_people_end_their_own_sessions_and_superusers_those_of_others(olga: User, workspace: Workspace) -> None:
    mine, other, theirs = browser_of(olga), browser_of(olga), browser_of(make_person("max"))

    end(mine, row_of(theirs))
    assert is_inside(theirs)
    end(mine, row_of(other))
    assert not is_inside(other)
    end(browser_of(make_person("root", is_superuser=True)), row_of(theirs))
    assert not is_inside(theirs)

    entry = AuditEntry.objects.in_workspace(workspace.pk).get(verb="end_session")
    assert (entry.object_id, entry.reason, entry.to_state["address"]) == (str(olga.pk), "lost laptop", "127.0.0.1")
    assert AuditEntry.objects.get(verb="end_session", workspace=None).to_state["username"] == "max"


def test_all_other_sessions_are_ended_at_once(olga: User) -> None:
    mine, *others = (browser_of(olga) for _ in range(3))

    answer = mine.post(reverse("admin:sign_in_session_end_others"), CONFIRMED)

    assert said(answer) == "Other sessions ended: 2."
    assert is_inside(mine)
    assert not [client for client in others if is_inside(client)]


def test_signing_out_ends_the_session_and_is_in_the_audit(olga: User, workspace: Workspace) -> None:
    client = browser_of(olga)

    client.post("/admin/logout/")

    assert not Session.objects.filter(user=olga).exists()
    entry = AuditEntry.objects.in_workspace(workspace.pk).get(verb="sign_out")
    assert (entry.actor_id, entry.address) == (str(olga.pk), "127.0.0.1")


def test_a_password_set_by_anybody_ends_the_sessions(olga: User) -> None:
    client = browser_of(olga)

    olga.set_password("a wholly different one")
    olga.save()

    assert not Session.objects.filter(user=olga).exists()
    assert not is_inside(client)


def test_each_sign_in_has_a_key_of_its_own(olga: User) -> None:
    """A key that somebody planted in the browser before is worth nothing afterwards."""
    client = Client()
    client.get(LOGIN)
    sign_in("olga", client=client)
    planted = client.cookies["sessionid"].value

    sign_in("olga", client=client)

    assert client.cookies["sessionid"].value != planted
    assert not Session.objects.filter(pk=hashed(planted)).exists()


def test_when_it_was_seen_is_written_once_a_minute(olga: User) -> None:
    client = browser_of(olga)
    now = database_now()

    for ago, is_written in ((timedelta(seconds=50), False), (timedelta(seconds=70), True)):
        Session.objects.update(seen_at=now - ago)
        client.get(LIST)
        assert (row_of(client).seen_at >= now) == is_written


def test_expired_sessions_open_nothing_and_are_not_listed(olga: User) -> None:
    client, other = browser_of(olga), browser_of(olga)
    Session.objects.filter(pk=row_of(client).pk).update(expire_date=database_now())

    assert not is_inside(client)
    assert len(other.get(LIST).context["cl"].result_list) == 1


def test_a_superuser_without_a_workspace_leaves_entries_that_superusers_see(workspace: Workspace) -> None:
    root = browser_of(make_person("root", is_superuser=True))
    manager = browser_of(make_person("olga", workspace))

    entry = AuditEntry.objects.get(verb="sign_in", workspace=None)

    url = reverse("admin:workspaces_auditentry_change", args=[entry.pk])
    assert root.get(url).status_code == 200
    assert manager.get(url).status_code == 302


def test_the_password_is_in_no_entry(olga: User) -> None:
    sign_in("olga", PASSWORD)
    sign_in("olga", f"{PASSWORD} mistyped")
    sign_in(PASSWORD, "olga")

    assert not [entry for entry in AuditEntry.objects.all() if PASSWORD in str(vars(entry))]

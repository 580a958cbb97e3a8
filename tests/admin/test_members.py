"""Owners manage members: whom they add, what they may change, and what becomes of a user at once."""

import re
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse

from callbacks.models import Callback
from dialer.workspaces import members
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.members import LastOwner
from dialer.workspaces.models import AuditEntry, Member, Workspace
from dialer.workspaces.roles import Role
from tests.admin.people import CONFIRMED, browser_of, make_callback, said
from tests.factories import make_workspace

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"  # noqa: S105
NEW_PASSWORD = {"new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def owner(workspace: Workspace) -> Client:
    return browser_of(workspace, role="owner")


def add(browser: Client, workspace: Workspace, name: str, role: str = "operator") -> Any:
    form = {"workspace": str(workspace.pk), "user_name": name, "role": role}
    return browser.post(reverse("admin:workspaces_member_add"), form)


def press(browser: Client, verb: str, member: Member, **form: str) -> Any:
    return browser.post(reverse(f"admin:workspaces_member_{verb}", args=[member.pk]), {**CONFIRMED, **form})


def link_in(answer: Any) -> str:
    found = re.search(r"https?://[^/]+(/invitation/[^\s<]+)", answer.content.decode())
    return found[1] if found else ""


def member_of(workspace: Workspace, role: Role, name: str = "max") -> Member:
    return members.add(workspace.pk, user_name=name, role=role, actor=SYSTEM, now=database_now())


def test_a_new_user_sets_a_password_by_a_link_that_is_shown_once(owner: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, name="Erika Muster")
    answer = add(owner, workspace, "maria")
    link, browser = link_in(answer), Client()

    form = browser.get(link, follow=True)
    sent = browser.post(form.request["PATH_INFO"], NEW_PASSWORD)

    assert "no-store" in answer.headers["Cache-Control"]
    assert link not in said(answer)
    assert sent.headers["Location"] == reverse("admin:login")
    assert browser.login(username="maria", password=PASSWORD)
    assert browser.get(reverse("admin:callbacks_callback_change", args=[callback.pk])).status_code == 200
    assert browser.get(reverse("admin:workspaces_member_changelist")).status_code == 403
    assert "does not work" in Client().get(link).content.decode()
    verbs = list(AuditEntry.objects.filter(object_type="member").order_by("id").values_list("verb", flat=True))
    assert verbs == ["add", "invite", "accept"]


def test_a_new_link_replaces_the_old_one(owner: Client, workspace: Workspace) -> None:
    old = link_in(add(owner, workspace, "maria"))

    new = link_in(press(owner, "invite", Member.objects.get(user__username="maria")))

    assert "does not work" in Client().get(old).content.decode()
    assert "Set the password" in Client().get(new, follow=True).content.decode()


def test_a_user_of_somebody_else_is_added_by_a_superuser_alone(owner: Client, workspace: Workspace) -> None:
    """An owner would see when and whence people of other workspaces sign in, or promote whoever took the name first."""
    other = make_workspace(name="Globex")
    members.add(other.pk, user_name="maria", role=Role.VIEWER, actor=SYSTEM, now=database_now())
    User.objects.create_user("paul", password=PASSWORD)
    User.objects.create_superuser("root")

    for name in ("maria", "paul", "root"):
        refused = add(owner, workspace, name)
        assert "belongs to somebody outside your workspaces" in refused.content.decode()
    assert Member.objects.in_workspace(workspace.pk).count() == 1

    add(browser_of(None, is_superuser=True), workspace, "maria")

    assert Member.objects.in_workspace(workspace.pk).filter(user__username="maria").exists()


def test_an_owner_of_two_workspaces_adds_a_member_of_one_to_the_other(owner: Client, workspace: Workspace) -> None:
    second = make_workspace(name="Globex")
    Member.objects.create(workspace=second, user=Member.objects.get(workspace=workspace).user, role="owner")
    add(owner, workspace, "maria")

    add(owner, second, "maria")

    assert Member.objects.filter(user__username="maria").count() == 2


def test_a_user_who_exists_is_added_by_name_without_a_link(owner: Client, workspace: Workspace) -> None:
    User.objects.create_user("maria", password=PASSWORD)

    answer = add(browser_of(None, is_superuser=True), workspace, "maria", "manager")

    assert link_in(answer) == ""
    member = Member.objects.get(user__username="maria")
    assert (member.workspace, member.role) == (workspace, "manager")
    assert member.user.check_password(PASSWORD)
    assert press(owner, "invite", member).status_code == 302
    assert "has a password already" in said(press(owner, "invite", member))


def test_a_link_dies_when_another_workspace_takes_the_user_in(owner: Client, workspace: Workspace) -> None:
    """Else the owner who made the user could sign in as the user and see the other workspace."""
    link = link_in(add(owner, workspace, "maria"))
    other = make_workspace(name="Globex")

    theirs = add(browser_of(None, is_superuser=True), other, "maria")

    assert "does not work" in Client().get(link).content.decode()
    assert link_in(theirs) == ""
    assert link_in(press(owner, "invite", Member.objects.get(workspace=workspace, user__username="maria"))) == ""


@pytest.mark.parametrize("name", ["", "a b", "<b>", "x" * 151])
def test_a_name_that_is_none_is_refused_with_the_reason(owner: Client, workspace: Workspace, name: str) -> None:
    users = User.objects.count()

    answer = add(owner, workspace, name)

    assert "user_name" in answer.context["adminform"].form.errors
    assert User.objects.count() == users


def test_a_member_is_added_once_and_nobody_who_was_deactivated(owner: Client, workspace: Workspace) -> None:
    member_of(workspace, Role.VIEWER)
    User.objects.create(username="erik", is_active=False)

    again, gone = add(owner, workspace, "max"), add(owner, workspace, "erik")

    assert "already" in str(again.context["adminform"].form.errors)
    assert "deactivated" in str(gone.context["adminform"].form.errors)
    assert Member.objects.filter(workspace=workspace).count() == 2


def test_a_role_counts_from_the_next_page_on_and_removal_ends_everything(owner: Client, workspace: Workspace) -> None:
    member = member_of(workspace, Role.VIEWER)
    callback, browser = make_callback(workspace), Client()
    browser.force_login(member.user)
    cancel = reverse("admin:callbacks_callback_cancel", args=[callback.pk])
    page = reverse("admin:callbacks_callback_change", args=[callback.pk])
    assert browser.post(cancel, CONFIRMED).status_code == 403

    press(owner, "change_role", member, role="operator")
    assert browser.post(cancel, CONFIRMED).status_code == 302
    assert Callback.objects.get(pk=callback.pk).status == "cancelled"
    press(owner, "remove", member, reason="left")

    assert browser.get(page).status_code == 403
    entry = AuditEntry.objects.get(verb="remove")
    assert (entry.from_state, entry.reason) == ({"user": "max", "role": "operator"}, "left")


def test_the_last_owner_is_neither_removed_nor_given_another_role(owner: Client, workspace: Workspace) -> None:
    member = Member.objects.get(workspace=workspace)
    inactive = member_of(workspace, Role.OWNER, "erik")
    User.objects.filter(pk=inactive.user_id).update(is_active=False)

    for answer in (press(owner, "remove", member), press(owner, "change_role", member, role="viewer")):
        assert "A workspace keeps an owner" in answer.content.decode()
    assert Member.objects.get(pk=member.pk).role == "owner"
    member_of(workspace, Role.OWNER, "maria")
    assert press(owner, "change_role", member, role="viewer").status_code == 302


def test_nobody_raises_their_own_role_not_even_who_may_edit_members(workspace: Workspace) -> None:
    superuser = browser_of(workspace, role="viewer", is_superuser=True)
    member = Member.objects.get(workspace=workspace)

    answer = press(superuser, "change_role", member, role="owner")

    assert "Nobody raises their own role" in answer.content.decode()
    assert Member.objects.get(pk=member.pk).role == "viewer"


def test_owners_see_and_change_no_members_of_other_workspaces(owner: Client) -> None:
    other = make_workspace(name="Globex")
    member = member_of(other, Role.VIEWER, "maria")

    assert "maria" not in owner.get(reverse("admin:workspaces_member_changelist")).content.decode()
    for verb, form in (("change_role", {"role": "owner"}), ("remove", {}), ("invite", {})):
        assert "no such row" in said(press(owner, verb, member, **form))
    assert "workspace" in add(owner, other, "max").context["adminform"].form.errors
    assert list(Member.objects.filter(workspace=other).values_list("role", flat=True)) == ["viewer"]


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one(workspace: Workspace) -> None:
    for _ in range(5):
        pair = [member_of(workspace, Role.OWNER, name) for name in ("max", "maria")]
        start = threading.Barrier(2)
        refused: list[Member] = []

        def remove(member: Member, start: threading.Barrier = start, refused: list[Member] = refused) -> None:
            start.wait()
            try:
                members.remove(member.pk, workspace_id=workspace.pk, actor=SYSTEM, now=database_now())
            except LastOwner:
                refused.append(member)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=remove, args=[member]) for member in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(refused) == 1
        assert Member.objects.get(workspace=workspace).pk == refused[0].pk
        Member.objects.all().delete()

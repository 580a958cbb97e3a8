"""Closing a workspace on its page: whoever may do it types its name, and an administrator can take it back."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dialer.workspaces.models import Workspace
from tests.admin.people import CONFIRMED, browser_of, said
from tests.factories import make_call, make_contact, make_workspace

pytestmark = pytest.mark.django_db


def press(browser: Client, verb: str, workspace: Workspace, **filled_in: str) -> Any:
    url = reverse(f"admin:workspaces_workspace_{verb}", args=[workspace.pk])
    return browser.post(url, {**CONFIRMED, **filled_in})


def an_owner(workspace: Workspace) -> Client:
    return browser_of(workspace, role="owner")


def is_closed(workspace: Workspace) -> bool:
    workspace.refresh_from_db()
    return workspace.closed_at is not None


def test_the_workspace_is_closed_by_typing_its_name() -> None:
    workspace = make_workspace(name="Acme")
    browser = an_owner(workspace)

    done = press(browser, "close", workspace, name="Acme", reason="moved away")

    assert said(done) == "Acme is closed. It will be deleted in 30 days."
    assert is_closed(workspace)
    assert browser.get(reverse("admin:workspaces_workspace_change", args=[workspace.pk])).status_code == 302


@pytest.mark.parametrize("typed", ["acme", "Globex", " "])
def test_another_name_closes_nothing(typed: str) -> None:
    workspace = make_workspace(name="Acme")

    press(an_owner(workspace), "close", workspace, name=typed)

    assert not is_closed(workspace)


def test_the_dialog_says_that_people_are_on_the_phone() -> None:
    workspace = make_workspace(name="Acme")
    make_call(make_contact(workspace), status="in_progress")

    asked = press(an_owner(workspace), "close", workspace, name="Acme")

    assert "Calls are under way" in asked.content.decode()
    assert not is_closed(workspace)


def test_a_manager_closes_no_workspace_and_an_owner_not_one_of_others() -> None:
    mine, theirs = make_workspace(name="Acme"), make_workspace(name="Globex")

    press(browser_of(mine), "close", mine, name="Acme")
    press(an_owner(mine), "close", theirs, name="Globex")

    assert not is_closed(mine)
    assert not is_closed(theirs)


def test_only_an_administrator_opens_a_closed_workspace_again() -> None:
    workspace = make_workspace(name="Acme")
    owner, root = an_owner(workspace), browser_of(None, is_superuser=True)
    press(owner, "close", workspace, name="Acme")

    press(owner, "reopen", workspace)
    assert is_closed(workspace)
    done = press(root, "reopen", workspace)

    assert said(done) == "Acme is open again."
    assert not is_closed(workspace)


def test_the_page_offers_what_can_be_done() -> None:
    workspace = make_workspace(name="Acme")
    root = browser_of(None, is_superuser=True)
    page = reverse("admin:workspaces_workspace_change", args=[workspace.pk])
    close, reopen = (reverse(f"admin:workspaces_workspace_{verb}", args=[workspace.pk]) for verb in ("close", "reopen"))

    shown = root.get(page).content.decode()
    assert (close in shown, reopen in shown) == (True, False)
    press(root, "close", workspace, name="Acme")
    shown = root.get(page).content.decode()
    assert (close in shown, reopen in shown) == (False, True)

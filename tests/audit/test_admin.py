"""Every page of the admin that changes something says who did what, and why, or changes nothing."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from dialer.workspaces.models import Workspace
from tests.admin.people import CONFIRMED, browser_of
from tests.audit.admin_stories import LOGGED_BY_DJANGO, ONLY_LOOKS, STORIES, Sent, Story
from tests.audit.trace import (
    AUDIT,
    WHY,
    audit_not_writable,
    changed_since,
    entries_since,
    newest_entry,
    rows_of_all_tables,
)
from tests.factories import make_workspace

pytestmark = pytest.mark.django_db

_ASKED_BY_PERMISSION = ("_add", "_change", "_delete")
_ONLY_READ = ("_changelist", "_history")
_NO_CHANGE = {AUDIT, "django_admin_log"}


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    browser = browser_of(workspace, is_superuser=True)
    browser.raise_request_exception = False
    return browser


def test_every_page_that_changes_something_has_a_story_here() -> None:
    told = {story.door for story in STORIES}

    assert told | set(ONLY_LOOKS) | LOGGED_BY_DJANGO == set(doors())


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_a_change_leaves_who_did_what_and_why(story: Story, workspace: Workspace, browser: Client) -> None:
    sent = story.sends(workspace, browser)
    asks_why = takes_a_reason(browser, story, sent)
    newest, rows = newest_entry(), rows_of_all_tables()

    answer = browser.post(sent.url, {**sent.form, "reason": WHY})

    assert answer.status_code == 302, _faults(answer)
    assert changed_since(rows) - _NO_CHANGE, "the story changes nothing: it proves nothing"
    told = entries_since(newest)
    mine = [entry for entry in told if (entry.verb, entry.object_type) == (story.verb, story.kind)]
    assert mine, f"no entry says {story.verb} {story.kind}; there are {told}"
    entry = mine[0]
    user = User.objects.get(is_superuser=True)
    assert sent.about in ("*", entry.object_id)
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", str(user.pk), user.username)
    if asks_why:
        assert entry.reason == WHY


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_nothing_is_changed_where_the_entry_cannot_be_written(
    story: Story, workspace: Workspace, browser: Client
) -> None:
    sent = story.sends(workspace, browser)
    rows = rows_of_all_tables()

    with audit_not_writable():
        answer = browser.post(sent.url, sent.form)

    assert answer.status_code == 500, _faults(answer)
    assert not changed_since(rows)


@pytest.mark.parametrize("door", sorted(LOGGED_BY_DJANGO))
def test_what_is_done_to_people_and_roles_stands_in_the_log_of_django(browser: Client, door: str) -> None:
    other, role = User.objects.create(username="max"), Group.objects.create(name="night shift")
    row: User | Group = other if door.startswith("auth_user") else role
    page, _, action = door.partition(":")
    form = {
        "username": "maria",
        "usable_password": "true",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "name": "day shift",
        "post": "yes",
        "date_joined_0": "2025-03-12",
        "date_joined_1": "10:00",
        "members-TOTAL_FORMS": "0",
        "members-INITIAL_FORMS": "0",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        **({"action": action, "_selected_action": [str(row.pk)]} if action else {}),
    }
    url = reverse(f"admin:{page}_changelist") if action else reverse(f"admin:{page}", args=_arguments(page, row))

    answer = browser.post(url, form)

    assert answer.status_code == 302, _faults(answer)
    assert LogEntry.objects.get().user == User.objects.get(is_superuser=True)


def doors() -> Iterator[str]:
    """Name everything of the admin that takes a ``POST``: pages by their URLs' names, actions behind a colon."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    for model, page in admin.site._registry.items():  # noqa: SLF001 — there is no public way to list them
        prefix = model._meta.label_lower.replace(".", "_")  # noqa: SLF001 — Django's documented interface
        permitted = (
            ("_add", page.has_add_permission(request)),
            ("_change", page.has_change_permission(request)),
            ("_delete", page.has_delete_permission(request)),
        )
        yield from (f"{prefix}{kind}" for kind, may in permitted if may)
        yield from (f"{prefix}:{name}" for name in {*(page.actions or ()), *page.get_actions(request)})
    for name in _names(get_resolver().url_patterns):
        kinds = (*_ASKED_BY_PERMISSION, *_ONLY_READ)
        if not name.endswith(kinds) or name == "auth_user_password_change" or name in ONLY_LOOKS:
            yield name


def takes_a_reason(browser: Client, story: Story, sent: Sent) -> bool:
    """Tell whether the dialog or page that asks before the verb has a field for the reason."""
    if "_form_submitted" not in sent.form:
        return False
    asked = {name: value for name, value in sent.form.items() if name not in CONFIRMED}
    with transaction.atomic():
        page = browser.post(sent.url, asked) if ":" in story.door else browser.get(sent.url)
        transaction.set_rollback(True)  # some actions ask for nothing, and were done now
    return 'name="reason"' in page.content.decode()


def _names(patterns: Sequence[URLPattern | URLResolver], *, inside: bool = False) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns, inside=inside or str(pattern.pattern) == "admin/")
        elif inside and pattern.name:
            yield pattern.name


def _faults(answer: Any) -> str:
    """Say what a page that was shown again complains of."""
    return " ".join(re.findall(r"(?s)<ul class=.errorlist.*?</ul>", answer.content.decode()))


def _arguments(page: str, row: User | Group) -> list[object]:
    return [] if page.endswith("_add") else [row.pk]

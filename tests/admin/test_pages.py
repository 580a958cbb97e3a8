"""Every page opens, for those who may see it and nobody else."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from callbacks.models import Callback
from dialer.workspaces.models import AuditEntry, Workspace
from tests.admin.everything import PAGES, make_everything
from tests.admin.people import browser_of
from tests.factories import make_call, make_contact, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_everything()


def test_every_list_and_every_row_opens_for_a_superuser(workspace: Workspace) -> None:
    browser = browser_of(None, is_superuser=True)
    for page, model in PAGES.items():
        listed = browser.get(reverse(f"admin:{page}_changelist"), follow=True)
        assert listed.status_code == 200, page
        row = model.objects.first()
        assert row is not None, page
        assert browser.get(reverse(f"admin:{page}_change", args=[row.pk])).status_code == 200, page


def test_every_form_for_a_new_row_opens_for_a_superuser(workspace: Workspace) -> None:
    browser = browser_of(None, is_superuser=True)
    for page in PAGES:
        assert browser.get(reverse(f"admin:{page}_add")).status_code in (200, 403), page


def test_staff_of_another_workspace_see_no_row_in_any_list_and_none_by_its_address(workspace: Workspace) -> None:
    stranger = browser_of(make_workspace(name="Globex"))
    assert Callback.objects.exists()
    assert AuditEntry.objects.exists()

    for page, model in PAGES.items():
        row = workspace if model is Workspace else model.objects.first()
        listed = stranger.get(reverse(f"admin:{page}_changelist"), follow=True)
        assert reverse(f"admin:{page}_change", args=[row.pk]) not in listed.content.decode(), page
        opened = stranger.get(reverse(f"admin:{page}_change", args=[row.pk]))
        assert (opened.status_code, opened.headers.get("Location")) in ((302, reverse("admin:index")), (403, None)), (
            page
        )


def test_the_overview_opens_without_any_row() -> None:
    browser = browser_of(make_workspace())

    assert browser.get(reverse("admin:index")).status_code == 200


def test_a_call_that_came_in_is_shown_as_one_and_found_by_its_direction() -> None:
    contact = make_contact(name="Jane Roe")
    made = make_call(contact, direction="inbound", status="in_progress", attempt_number=0)
    make_call(make_contact(contact.workspace, name="John Doe"), status="ended")
    browser = browser_of(None, is_superuser=True)

    listed = browser.get(reverse("admin:dialer_call_changelist"), {"direction": "inbound"}).content.decode()
    page = browser.get(reverse("admin:dialer_call_change", args=[made.pk])).content.decode()

    assert "Jane Roe" in listed
    assert "they called" in listed
    assert "John Doe" not in listed
    assert "Call from Jane Roe" in page
    assert "Cancel call" not in page


@pytest.mark.parametrize(
    "address",
    [
        "workspaces/apikey/?key_hash=a",
        "workspaces/apikey/?key_hash__startswith=a",
        "dialer/contact/?name__unaccent=x",
        "webhooks/event/?sequence__gt=1",
        "dialer/campaign/?status__exact=x%00",
        "auth/user/?password__startswith=a",
        "auth/user/?username__unaccent=x",
        "workspaces/member/?user__password__startswith=a",
    ],
)
def test_a_list_takes_from_its_address_only_what_its_filters_offer(address: str) -> None:
    browser = browser_of(None, is_superuser=True)

    assert browser.get(f"/admin/{address}").status_code == 400


def test_every_filter_that_a_list_offers_works(workspace: Workspace) -> None:
    browser = browser_of(None, is_superuser=True)
    for page in (*PAGES, "auth_user"):
        path = reverse(f"admin:{page}_changelist")
        listed: Any = browser.get(path, follow=True).context["cl"]
        for query in {choice["query_string"] for spec in listed.filter_specs for choice in spec.choices(listed)}:
            assert browser.get(f"{path}{query}", follow=True).status_code == 200, f"{page}{query}"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("webhooks/event/?type=x%00", 400),
        ("webhooks/event/?type=x", 200),
        ("callbacks/callback/²/reschedule/", 200),
        ("search/?s=c", 200),
        ("search/?s=c&page=x", 404),
        ("search/?s=c&page=2", 404),
    ],
)
def test_an_address_that_means_nothing_breaks_nothing(address: str, status: int) -> None:
    browser: Client = browser_of(None, is_superuser=True)

    assert browser.get(f"/admin/{address}").status_code == status

"""What people and keys take away to read leaves an entry too: reports, bad rows, transcripts."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dialer.campaigns import imports, report
from dialer.models import Import
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Workspace
from tests.admin.people import browser_of
from tests.api.client import Api
from tests.factories import make_call, make_campaign, make_contact, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


def said(workspace: Workspace) -> list[tuple[Any, ...]]:
    found = AuditEntry.objects.in_workspace(workspace.pk).exclude(verb__in=("issue", "upload")).order_by("id")
    return [(each.actor_kind, each.verb, each.object_type, each.object_id, each.address) for each in found]


def test_a_report_leaves_an_entry_whichever_way_it_is_taken(workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    signed = report.report_url(campaign.pk, now=database_now())

    browser_of(workspace).get(reverse("admin:dialer_campaign_report", args=[campaign.pk]))
    Api(workspace).get(f"campaigns/{campaign.public_id}/report.csv")
    Client(REMOTE_ADDR="203.0.113.9").get(signed[signed.index("/reports/") :])

    about = ("download_report", "campaign", campaign.public_id)
    assert said(workspace) == [
        ("user", *about, "127.0.0.1"),
        ("key", *about, "127.0.0.1"),
        ("system", *about, "203.0.113.9"),
    ]


def test_bad_rows_of_an_import_leave_an_entry(workspace: Workspace) -> None:
    source: Import = imports.receive(workspace.pk, [b"phone\nx\n"], file_name="a.csv", actor=SYSTEM, now=database_now())
    imports.read_batch(source.pk, now=database_now())

    browser_of(workspace).get(reverse("admin:dialer_import_bad_rows", args=[source.pk]))
    Api(workspace).get(f"imports/{source.public_id}/problems.csv")

    about = ("download_bad_rows", "import", source.public_id, "127.0.0.1")
    assert said(workspace) == [("user", *about), ("key", *about)]


def test_a_transcript_that_is_read_leaves_an_entry_and_a_call_without_one_does_not(workspace: Workspace) -> None:
    contact = make_contact(workspace)
    talked = make_call(contact, status="ended", outcome="answered", transcript="Hello")
    silent = make_call(contact, status="ended", outcome="busy")

    for call in (talked, silent):
        browser_of(workspace).get(reverse("admin:dialer_call_change", args=[call.pk]))
        Api(workspace).get(f"calls/{call.public_id}/")

    about = ("read", "transcript", talked.public_id, "127.0.0.1")
    assert said(workspace) == [("user", *about), ("key", *about)]

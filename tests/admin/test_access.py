"""Calls, keys, users, the overview: who sees them, and what they say."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.fixtures import Settings

from callbacks.models import Callback
from dialer.models import Call, Line
from dialer.workspaces import api_keys
from dialer.workspaces.audit import SYSTEM
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import ApiKey, AuditEntry, Workspace
from tests.admin.people import CONFIRMED, browser_of, make_callback, said
from tests.factories import make_call, make_contact, make_line, make_workspace
from tests.webhooks.rows import make_endpoint
from webhooks.models import Endpoint
from webhooks.outbox import NewEvent, record_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    return browser_of(workspace)


def unknown_call(workspace: Workspace) -> Call:
    return make_call(make_contact(workspace, name="Erika Muster"), status="ended", outcome="unknown")


def test_unknown_calls_are_listed_until_somebody_dealt_with_them(browser: Client, workspace: Workspace) -> None:
    one, other = unknown_call(workspace), unknown_call(workspace)
    listed = f"{reverse('admin:dialer_call_changelist')}?needs_a_person=yes"
    form = {**CONFIRMED, "reason": "I asked"}

    answer = browser.post(reverse("admin:dialer_call_mark_handled", args=[one.pk]), form)
    assert "needs nobody any more" in said(answer)
    answer = browser.post(
        listed, {"action": "handle_selected", "_selected_action": [str(one.pk), str(other.pk)], **form}
    )

    assert said(answer).endswith(" 1 handled, 1 not: it needs nobody.")
    assert "Erika Muster" not in browser.get(listed).content.decode()
    assert set(AuditEntry.objects.values_list("verb", flat=True)) == {"mark_handled"}


def test_a_queued_call_is_cancelled_by_its_button(browser: Client, workspace: Workspace) -> None:
    call = make_call(make_contact(workspace))

    answer = browser.post(reverse("admin:dialer_call_cancel", args=[call.pk]), CONFIRMED)

    call.refresh_from_db()
    assert said(answer) == "The call is cancelled."
    assert (call.status, call.outcome) == ("ended", "cancelled")


def test_calls_are_history_and_cannot_be_written(browser: Client, workspace: Workspace) -> None:
    call = unknown_call(workspace)
    url = reverse("admin:dialer_call_change", args=[call.pk])

    assert browser.post(url, {"outcome": "answered"}).status_code == 403
    page = browser.get(url).content.decode()
    assert 'name="outcome"' not in page
    assert "What happened" in page


@pytest.mark.parametrize("page", ["dialer_call", "dialer_campaigncontact", "dialer_contact", "dialer_campaign"])
def test_lists_ask_as_often_for_50_rows_as_for_5(browser: Client, workspace: Workspace, page: str) -> None:
    counts = []
    for more in (5, 45):
        for _ in range(more):
            make_callback(workspace)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(reverse(f"admin:{page}_changelist")).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] < 15


def test_a_key_is_shown_once_and_revoked_by_its_button(workspace: Workspace) -> None:
    browser = browser_of(workspace, role="owner")
    form = {"workspace": workspace.pk, "name": "CRM", "scope": "write", "expires_at_0": "", "expires_at_1": ""}

    answer = browser.post(reverse("admin:workspaces_apikey_add"), form)

    key = ApiKey.objects.get()
    plain = re.findall(r"rb_[\w-]{20,}", answer.content.decode())[0]
    assert "no-store" in answer.headers["Cache-Control"]
    assert plain not in said(answer), "notices travel in a cookie"
    assert api_keys.authenticate(plain, now=database_now()) == key
    browser.get(reverse("admin:index"))
    assert plain not in browser.get(reverse("admin:workspaces_apikey_change", args=[key.pk])).content.decode()
    browser.post(reverse("admin:workspaces_apikey_revoke", args=[key.pk]), CONFIRMED)
    assert api_keys.authenticate(plain, now=database_now()) is None


def test_keys_of_another_workspace_are_neither_made_nor_revoked(workspace: Workspace) -> None:
    browser = browser_of(workspace, role="owner")
    other = make_workspace(name="Globex")
    key, plain = api_keys.issue(workspace_id=other.pk, name="X", scope="read", actor=SYSTEM, now=database_now())

    browser.post(reverse("admin:workspaces_apikey_revoke", args=[key.pk]), CONFIRMED)
    form = {"workspace": other.pk, "name": "CRM", "scope": "write", "expires_at_0": "", "expires_at_1": ""}
    assert browser.post(reverse("admin:workspaces_apikey_add"), form).status_code == 200

    assert ApiKey.objects.get() == key
    assert api_keys.authenticate(plain, now=database_now()) == key


def test_credentials_of_a_line_are_written_and_never_shown(
    browser: Client, workspace: Workspace, settings: Settings
) -> None:
    settings.CARRIERS = {"vendor": "tests.in_process_carrier.VendorAdapter"}
    form = {
        "workspace": workspace.pk,
        "name": "Main",
        "carrier": "vendor",
        "numbers": "+4930123\n+4930124",
        "new_credentials": '{"token": "s3cr3t"}',
        "ring_timeout_seconds": "30",
        "max_duration_seconds": "3600",
    }

    browser.post(reverse("admin:dialer_line_add"), form)

    line = Line.objects.get()
    url = reverse("admin:dialer_line_change", args=[line.pk])
    assert (line.caller_ids, line.credentials) == (["+4930123", "+4930124"], '{"token": "s3cr3t"}')
    assert "s3cr3t" not in browser.get(url).content.decode()
    browser.post(url, form | {"new_credentials": "", "name": "Renamed"})
    line.refresh_from_db()
    assert (line.name, line.credentials) == ("Renamed", '{"token": "s3cr3t"}')


def test_a_workspace_is_changed_by_its_owners_and_opened_by_nobody_but_superusers(workspace: Workspace) -> None:
    browser = browser_of(workspace, role="owner")
    url = reverse("admin:workspaces_workspace_change", args=[workspace.pk])
    form: dict[str, Any] = {
        "name": "Acme",
        "time_zone": "Europe/Vienna",
        "hours": "08:00-18:00",
        "days": ["weekend_off"],
        "stale_after_hours": "24",
        "keep_deliveries_days": "30",
        "contact_limits": '[{"max": 3, "period_hours": 24, "scope": "number"}]',
    }

    assert browser.post(url, form).status_code == 302
    workspace.refresh_from_db()
    assert workspace.time_zone == "Europe/Vienna"
    assert workspace.schedule == {"calling_hours": {"start": "08:00", "end": "18:00"}, "days": "weekend_off"}
    assert browser.post(url, form | {"preset": "us-fl"}).status_code == 302
    workspace.refresh_from_db()
    assert workspace.schedule == {"calling_hours": {"start": "08:00", "end": "20:00"}}, "as the law of Florida asks"
    assert browser.get(reverse("admin:workspaces_workspace_add")).status_code == 403
    opened = browser_of(None, is_superuser=True).post(reverse("admin:workspaces_workspace_add"), form | {"name": "New"})
    assert opened.status_code == 302
    assert Workspace.objects.filter(name="New").exists()


def test_the_overview_counts_what_is_late_what_was_dialled_and_what_needs_a_person(
    browser: Client, workspace: Workspace
) -> None:
    now = database_now()
    make_callback(workspace, late=timedelta(minutes=20), type="customer_requested", number=None, limit=None)
    for milliseconds in (100, 200, 300):
        done = make_callback(workspace)
        Callback.objects.filter(pk=done.pk).update(
            status="done", scheduled_at=now, dialled_at=now + timedelta(milliseconds=milliseconds)
        )
    unknown_call(workspace)
    Line.objects.filter(pk=make_line(workspace).pk).update(down_until=now + timedelta(minutes=1))
    Endpoint.objects.filter(pk=make_endpoint(workspace).pk).update(failing_since=now)

    figures = browser.get(reverse("admin:index")).context["figures"]

    assert (figures["queues"][0]["title"], figures["queues"][0]["count"]) == ("Overdue", "1")
    assert figures["lateness"] == {
        "dialled": 3,
        "values": [("p50", "200 ms"), ("p95", "290 ms"), ("p99", "298 ms")],
    }
    assert [(item["count"], item["text"].split()[0]) for item in figures["person"]] == [
        (1, "calls"),
        (1, "promises"),
        (1, "endpoints"),
        (1, "lines"),
    ]


def test_the_overview_counts_calls_by_the_minute_and_nothing_of_other_workspaces(workspace: Workspace) -> None:
    make_endpoint(workspace)
    make_callback(workspace, late=timedelta(hours=1))
    now = database_now()
    with transaction.atomic():
        record_events(
            [
                NewEvent(workspace_id=workspace.pk, type="call.attempted", occurred_at=now, data={}, call_id=call.pk)
                for call in Call.objects.all()
            ],
            now=now,
        )

    mine = browser_of(workspace).get(reverse("admin:index")).context["figures"]
    theirs = browser_of(make_workspace(name="Globex")).get(reverse("admin:index")).context["figures"]

    assert sum(minute["calls"] for minute in mine["per_minute"]) == 2
    assert ("pending", 2) in mine["deliveries"]["statuses"]
    assert sum(minute["calls"] for minute in theirs["per_minute"]) == 0
    assert {queue["count"] for queue in theirs["queues"]} == {"0"}
    assert theirs["person"] == []


def test_the_overview_asks_a_handful_of_times_however_many_rows_there_are(
    browser: Client, workspace: Workspace
) -> None:
    counts = []
    for more in (5, 20):
        for _ in range(more):
            make_callback(workspace, late=timedelta(minutes=20))
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("admin:index"))
        counts.append(len(queries))

    assert counts[0] == counts[1] < 16


def test_pages_bring_no_script_in_them_and_none_from_elsewhere(browser: Client, workspace: Workspace) -> None:
    """The policy on content forbids both."""
    make_callback(workspace, late=timedelta(minutes=20))
    for page in ("index", "callbacks_callback_changelist", "dialer_campaign_add", "dialer_retrypolicy_add"):
        answer = browser.get(reverse(f"admin:{page}"), follow=True)
        text = answer.content.decode()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert text.count("<script") == text.count("<script src=") + text.count('<script id="django-admin')
        assert "https://" not in text.split("</head>")[0]

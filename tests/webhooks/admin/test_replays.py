"""Replays, samples and reminders as an operator sees them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Member, Workspace
from tests.admin.people import browser_of
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, make_delivery, make_endpoint
from webhooks.models import Delivery, Endpoint, Event, Replay

pytestmark = pytest.mark.django_db

CONFIRMED = {"_form_submitted": "True"}
MISSED = {**CONFIRMED, "since": "2025-01-15T10:00", "until": "", "statuses": ["failed", "suppressed"]}


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    user = User.objects.create(username="olga", is_staff=True)
    Member.objects.create(workspace=workspace, user=user, role="manager")
    client = Client()
    client.force_login(user)
    return client


def page(kind: str, name: str, *arguments: object) -> str:
    return reverse(f"admin:webhooks_{kind}_{name}", args=arguments)


def failed_delivery(workspace: Workspace) -> Delivery:
    delivery = make_delivery(make_endpoint(workspace))
    Delivery.objects.update(status="failed", settled_at=NOW)
    return delivery


def test_an_operator_replays_what_was_missed_and_follows_it(browser: Client, workspace: Workspace) -> None:
    endpoint = failed_delivery(workspace).endpoint

    response = browser.post(page("endpoint", "replay", endpoint.pk), MISSED)

    job = Replay.objects.get()
    assert response.url == page("replay", "change", job.pk)  # type: ignore[attr-defined]
    assert (job.status, job.total, job.actor_label) == ("running", 1, "olga")
    shown = browser.get(page("replay", "change", job.pk)).content.decode()
    assert "0 of 1 are on their way again" in shown
    assert browser.get(page("replay", "changelist")).status_code == 200
    assert page("replay", "stop", job.pk) in shown
    browser.post(page("replay", "stop", job.pk), CONFIRMED)
    assert Replay.objects.get().status == "stopped"
    assert page("replay", "stop", job.pk) not in browser.get(page("replay", "change", job.pk)).content.decode()


def test_what_was_filled_in_is_replayed_its_times_in_utc(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)

    browser.post(page("endpoint", "replay", endpoint.pk), {**MISSED, "statuses": ["delivered"]})

    job = Replay.objects.get()
    assert (job.since, job.statuses) == (datetime(2025, 1, 15, 10, 0, tzinfo=UTC), ["delivered"])


def test_a_viewer_follows_a_replay_and_does_not_stop_it(browser: Client, workspace: Workspace) -> None:
    browser.post(page("endpoint", "replay", failed_delivery(workspace).endpoint.pk), MISSED)
    job = Replay.objects.get()
    viewer = browser_of(workspace, role="viewer")

    shown = viewer.get(page("replay", "change", job.pk))

    assert shown.status_code == 200
    assert page("replay", "stop", job.pk) not in shown.content.decode()
    assert viewer.post(page("replay", "stop", job.pk), CONFIRMED).status_code == 403
    assert Replay.objects.get().status == "running"


def test_counting_only_sends_nothing(browser: Client, workspace: Workspace) -> None:
    endpoint = failed_delivery(workspace).endpoint

    browser.post(page("endpoint", "replay", endpoint.pk), {**MISSED, "dry_run": "on"})

    assert Replay.objects.get().dry_run
    assert not Delivery.objects.filter(status="pending").exists()
    assert AuditEntry.objects.filter(verb="replay_dry_run").exists()


def test_a_time_that_is_none_keeps_the_dialog_open(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)

    for since in ("", "yesterday", "2999-01-01T00:00"):
        browser.post(page("endpoint", "replay", endpoint.pk), {**MISSED, "since": since})

    assert not Replay.objects.exists()


def test_an_operator_sends_a_sample_of_any_event(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace)

    browser.post(page("endpoint", "send_test", endpoint.pk), {**CONFIRMED, "event": "call.analyzed"})

    event = Event.objects.get()
    assert (event.type, event.is_test) == ("call.analyzed", True)


def test_the_list_reminds_of_a_secret_that_was_rotated_a_day_ago(browser: Client, workspace: Workspace) -> None:
    day = timedelta(hours=24)
    late = make_endpoint(workspace, name="Late", next_secret="b", rotated_at=database_now() - day)  # noqa: S106
    make_endpoint(workspace, name="Fresh", next_secret="b", rotated_at=database_now())  # noqa: S106

    shown = browser.get(page("endpoint", "changelist")).content.decode()

    assert "Late: the secret rotated on" in shown
    assert "Fresh: the secret" not in shown
    assert "promote it" in browser.get(page("endpoint", "change", late.pk)).content.decode()


def test_a_delivery_is_shown_as_a_command(browser: Client, workspace: Workspace) -> None:
    delivery = failed_delivery(workspace)

    shown = browser.get(page("delivery", "change", delivery.pk)).content.decode()

    assert "curl --include" in shown
    assert "webhook-signature" in shown


def test_the_share_that_arrived_is_shown(browser: Client, workspace: Workspace) -> None:
    make_endpoint(workspace, delivered_count=2, failed_count=1)

    assert Endpoint.objects.get().success_percent == 66.7
    assert "66.7 %" in browser.get(page("endpoint", "changelist")).content.decode()

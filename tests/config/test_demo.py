"""The demo's workspace: what `make run` starts with."""

import csv
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth import authenticate
from pytest_django.fixtures import Settings as SettingsWrapper

from callbacks.models import Callback
from config.demo import workspace as demo
from config.models import Demo
from dialer.carriers.simulation.script import course
from dialer.models import Campaign, CampaignContact, Contact, Import
from dialer.workspaces import api_keys
from dialer.workspaces.models import Workspace
from tests.factories import NOW
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demo_settings(settings: SettingsWrapper) -> None:
    settings.DEMO_PASSWORD = "correct horse battery"  # noqa: S105 — opens nothing but this test's rows
    settings.DEMO_API_KEY = "rb_a-key-of-this-test"
    settings.PUBLIC_URL = "http://127.0.0.1:8123"
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


def test_every_contact_of_the_file_is_taken_in_and_called_by_a_campaign_or_asked_to_be() -> None:
    started = demo.start(now=NOW)

    source = Import.objects.get()
    assert (source.status, source.rows_good, source.rows_bad) == ("done", 200, 0)
    assert Contact.objects.in_workspace(started.workspace_id).count() == 200
    assert CampaignContact.objects.values("contact").distinct().count() == 200
    assert Contact.objects.values("time_zone").distinct().count() > 5
    assert set(Campaign.objects.values_list("status", flat=True)) == {"running"}


def test_five_callbacks_fall_due_within_a_minute_and_one_waits_for_the_morning() -> None:
    demo.start(now=NOW)

    soon = Callback.objects.filter(scheduled_at__lte=NOW + timedelta(seconds=60))
    later = Callback.objects.exclude(pk__in=soon).get()
    assert [(callback.scheduled_at - NOW).seconds for callback in soon.order_by("scheduled_at")] == list(
        demo.ASKED_IN_SECONDS
    )
    assert {callback.adjusted_reason for callback in soon} == {""}
    assert later.adjusted_reason == "outside_window"


def test_the_first_calls_show_every_outcome_of_a_dialled_call() -> None:
    with demo.CONTACTS.open() as file:
        first = list(csv.DictReader(file))[:20]

    ends = Counter(
        course(seed="ringback", number=row["phone"], nth=0, ring_timeout=20, max_duration=600).end.outcome
        for row in first
    )

    assert ends.keys() == {
        "answered", "voicemail", "no_answer", "busy", "invalid_number", "declined", "network_error",
    }  # fmt: skip


def test_a_second_start_makes_nothing_anew() -> None:
    demo.start(now=NOW)

    demo.start(now=NOW + timedelta(days=1))

    assert Workspace.objects.count() == 1
    assert Callback.objects.count() == 6
    assert Endpoint.objects.count() == 1
    assert Demo.objects.get().started_at == NOW + timedelta(days=1)


def test_what_is_printed_opens_the_door_also_after_it_was_changed(settings: SettingsWrapper) -> None:
    demo.start(now=NOW)
    settings.DEMO_PASSWORD = "another horse"  # noqa: S105 — as above
    settings.DEMO_API_KEY = "rb_another-key-of-this-test"

    demo.start(now=NOW)

    assert authenticate(username="admin", password=settings.DEMO_PASSWORD) is not None
    key = api_keys.authenticate(settings.DEMO_API_KEY, now=NOW)
    assert key is not None
    assert (key.workspace_id, key.scope) == (Demo.objects.get().workspace_id, "admin")


def test_the_endpoint_follows_the_inbox_to_another_port(settings: SettingsWrapper) -> None:
    demo.start(now=NOW)
    settings.PUBLIC_URL = "http://127.0.0.1:8124"

    demo.start(now=NOW)

    assert Endpoint.objects.get().url == "http://127.0.0.1:8124/demo/inbox/demo/"

"""Campaigns, contacts and imports, as a manager works with them."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.urls import reverse

from dialer.campaigns import imports
from dialer.models import Campaign, CampaignContact, Contact, Import, RetryPolicy, Suppression
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Workspace
from tests.admin.people import CONFIRMED, browser_of, make_callback, said
from tests.factories import (
    make_call,
    make_campaign,
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_workspace,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    return browser_of(workspace)


def page_of(row: Campaign) -> str:
    return reverse("admin:dialer_campaign_change", args=[row.pk])


def press(browser: Client, verb: str, campaign: Campaign, **filled_in: str) -> Any:
    return browser.post(reverse(f"admin:dialer_campaign_{verb}", args=[campaign.pk]), {**CONFIRMED, **filled_in})


def filled_in(workspace: Workspace, **fields: Any) -> dict[str, Any]:
    line = make_line(workspace)
    return {
        "workspace": str(workspace.pk),
        "name": "Spring",
        "persona": str(make_persona(workspace).pk),
        "line": str(line.pk),
        "priority": "0",
        "metadata": "{}",
        "contact_limits": "",
        "config_webhooks": "",
        **fields,
    }


def test_a_form_makes_a_campaign_with_everything_that_a_schedule_holds(browser: Client, workspace: Workspace) -> None:
    form = filled_in(
        workspace,
        hours="mon 09:00-12:00, 13:00-17:00\nsat 10:00-12:00",
        days=["mon", "sat"],
        holiday_region="DE-BY",
        holiday_dates="2027-05-08",
        auto_callback="yes",
        max_callback_attempts="3",
        callback_retry_schedule="60, 120",
        time_zone="Europe/Berlin",
    )

    answer = browser.post(reverse("admin:dialer_campaign_add"), form)

    assert answer.status_code == 302
    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.time_zone) == ("draft", "Europe/Berlin")
    assert campaign.schedule == {
        "auto_callback": True,
        "max_callback_attempts": 3,
        "callback_retry_schedule": [60, 120],
        "calling_hours": {
            "mon": [{"start": "09:00", "end": "12:00"}, {"start": "13:00", "end": "17:00"}],
            "sat": [{"start": "10:00", "end": "12:00"}],
        },
        "days": ["mon", "sat"],
        "holidays": {"region": "DE-BY", "dates": ["2027-05-08"]},
    }
    assert AuditEntry.objects.get().actor_kind == "user"


def test_a_form_gives_webhooks_and_urls_and_an_edit_keeps_them(browser: Client, workspace: Workspace) -> None:
    hook = {"url": "https://9.9.9.9/hook", "events": ["call.ended"], "secret": "hush"}
    browser.post(
        reverse("admin:dialer_campaign_add"),
        filled_in(
            workspace,
            config_webhooks=json.dumps([hook]),
            status_callback="https://9.9.9.9/status",
            status_secret="whisper",  # noqa: S106
        ),
    )
    campaign = Campaign.objects.get()
    shown = browser.get(page_of(campaign))
    form = shown.context["adminform"].form
    again = {name: value for name in form.fields if (value := form[name].value()) is not None}

    answer = browser.post(page_of(campaign), again | {"name": "Summer"})

    assert answer.status_code == 302, answer.context["errors"]
    before, campaign = campaign, Campaign.objects.get()
    assert (campaign.name, campaign.status_callback) == ("Summer", "https://9.9.9.9/status")
    assert campaign.config_webhooks == before.config_webhooks
    assert campaign.status_callback_secret == "whisper"  # noqa: S105
    assert not {"hush", "whisper"} & set(re.findall(r"\w+", shown.content.decode()))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status_callback", "http://10.0.0.1/"),
        ("call_status_callback", "nowhere"),
        ("config_webhooks", '[{"url": "http://10.0.0.1/", "events": ["*"], "secret": "x"}]'),
        ("config_webhooks", '[{"url": "https://9.9.9.9/", "events": ["*"]}]'),
        ("status_secret", "a\nb"),
    ],
)
def test_a_form_says_beside_the_field_which_webhook_or_url_is_refused(
    browser: Client, workspace: Workspace, field: str, value: str
) -> None:
    answer = browser.post(reverse("admin:dialer_campaign_add"), filled_in(workspace, **{field: value}))

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Campaign.objects.exists()


def test_an_edit_keeps_what_the_form_shows(browser: Client, workspace: Workspace) -> None:
    browser.post(
        reverse("admin:dialer_campaign_add"), filled_in(workspace, hours="08:00-24:00", callback_retry_schedule="5, 7")
    )
    campaign = Campaign.objects.get()
    shown = browser.get(page_of(campaign)).context["adminform"].form
    again = {name: shown[name].value() for name in shown.fields}
    again |= {"hours": "08:00-24:00", "callback_retry_schedule": "5, 7"}

    given = {name: value for name, value in again.items() if value is not None}
    answer = browser.post(page_of(campaign), given | {"name": "Summer"})

    assert answer.status_code == 302, answer.context["errors"]
    campaign.refresh_from_db()
    assert campaign.name == "Summer"
    assert campaign.schedule == {
        "calling_hours": {"start": "08:00", "end": "24:00"},
        "callback_retry_schedule": [5, 7],
    }
    for text in ("08:00-24:00", "5, 7"):
        assert text in browser.get(page_of(campaign)).content.decode()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hours": "nine to five"}, "is neither hours"),
        ({"hours": "20:00-09:00"}, "must be after"),
        ({"callback_retry_schedule": "60, 0"}, "must be"),
        ({"callback_retry_schedule": "soon"}, "Enter whole minutes"),
        ({"time_zone": "Mars/Base"}, "is not a known IANA time zone"),
        ({"holiday_region": "XX-YY"}, "holiday"),
        ({"caller_id": "+1555"}, "is not a caller id of the line"),
    ],
)
def test_a_form_says_what_is_wrong(browser: Client, workspace: Workspace, fields: dict[str, str], reason: str) -> None:
    answer = browser.post(reverse("admin:dialer_campaign_add"), filled_in(workspace, **fields))

    assert answer.status_code == 200
    assert reason in answer.content.decode()
    assert not Campaign.objects.exists()


def test_choices_offer_rows_of_the_users_workspaces_only(browser: Client, workspace: Workspace) -> None:
    make_persona(workspace, name="Our Sara")
    make_persona(workspace, name="Old Sara", archived_at=database_now())
    make_persona(make_workspace(name="Globex"), name="Their Sara")

    page = browser.get(reverse("admin:dialer_campaign_add")).content.decode()

    assert "Our Sara" in page
    for text in ("Old Sara", "Their Sara", "Globex"):
        assert text not in page
    their = filled_in(make_workspace(name="Other"))
    assert browser.post(reverse("admin:dialer_campaign_add"), their).status_code == 200
    assert not Campaign.objects.exists()


def test_buttons_start_pause_resume_and_cancel(browser: Client, workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="draft", name="Spring")
    assert "has no contacts" in said(press(browser, "start", campaign))
    make_campaign_contact(campaign, due_at=None)

    for verb, status, form in (
        ("start", "running", {}),
        ("pause", "paused", {"reason": "lunch"}),
        ("resume", "running", {"overdue": "call"}),
        ("cancel", "cancelled", {}),
    ):
        answer = press(browser, verb, campaign, **form)
        campaign.refresh_from_db()
        assert (answer.status_code, campaign.status) == (302, status)
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == [
        "start",
        "pause",
        "resume",
        "cancel",
    ]
    assert "cannot become" in press(browser, "pause", campaign).content.decode()


def test_a_page_offers_the_verbs_that_its_state_allows(browser: Client, workspace: Workspace) -> None:
    running, paused, over = (make_campaign(workspace, status=each) for each in ("running", "paused", "completed"))

    page, other, ended = (browser.get(page_of(row)).content.decode() for row in (running, paused, over))

    assert "/pause/" in page
    assert "/resume/" not in page
    assert "/resume/" in other
    assert "/revoke_report_addresses/" not in page
    assert "/revoke_report_addresses/" in ended, "the address is told when the campaign has ended"
    assert 'name="status"' not in page


def test_operators_may_look_at_campaigns_and_not_steer_them(workspace: Workspace) -> None:
    operator = browser_of(workspace, role="operator")
    campaign = make_campaign(workspace)

    assert operator.get(page_of(campaign)).status_code == 200
    assert press(operator, "pause", campaign).status_code == 403


@pytest.mark.parametrize(
    ("campaign", "sentence"),
    [
        ({"status": "draft"}, "It has not been started."),
        ({"status": "paused", "pause_reason": "end_at_reached"}, "It is paused (end at reached)"),
        ({"start_at": database_now}, "It starts at"),
        ({"line": {"down_until": database_now, "down_reason": "503"}}, "cannot be reached (503)"),
        ({"line": {"max_concurrent_calls": 1}}, "1 concurrent calls are all taken"),
        ({}, "Every contact has been called"),
    ],
)
def test_the_page_says_in_words_why_nothing_is_dialling(
    browser: Client, workspace: Workspace, campaign: dict[str, Any], sentence: str
) -> None:
    later = {"start_at", "down_until"}

    def filled(given: dict[str, Any]) -> dict[str, Any]:
        return {k: database_now() + timedelta(hours=2) if k in later else v for k, v in given.items()}

    line = make_line(workspace, **filled(campaign.pop("line", {})))
    if line.max_concurrent_calls:
        make_call(make_contact(workspace), line=line, status="in_progress")
    row = make_campaign(workspace, line=line, **filled(campaign))

    page = browser.get(page_of(row)).content.decode()

    assert "Why nothing is dialling" in page
    assert sentence in page


def test_a_due_call_that_nobody_dials_points_to_the_workers(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, late=timedelta(minutes=5))
    assert callback.campaign is not None

    assert "do beat and the workers run?" in browser.get(page_of(callback.campaign)).content.decode()


def test_figures_count_contacts_by_their_best_result(browser: Client, workspace: Workspace) -> None:
    campaign = make_campaign(workspace)
    for result in ("answered", "answered", "busy"):
        make_campaign_contact(campaign, state="reached", result=result, due_at=None)
    make_campaign_contact(campaign)

    figures = browser.get(page_of(campaign)).context["figures"]

    assert (figures["at_end"], figures["stats"].total_contacts) == (3, 4)
    assert [(bar["title"], bar["count"]) for bar in figures["bars"]] == [
        ("talked", 2),
        ("busy", 1),
        ("under way or waiting", 1),
    ]


def test_an_uploaded_file_is_read_with_progress_and_its_bad_rows_come_back(
    browser: Client, workspace: Workspace
) -> None:
    campaign = make_campaign(workspace, name="Spring", status="draft")
    form = browser.get(reverse("admin:dialer_import_add"), {"campaign": str(campaign.pk)})
    assert f'value="{campaign.pk}" selected' in form.content.decode()
    file = SimpleUploadedFile("people.csv", b"name,phone\nAnna,+4930123456\nBad,12\n")

    answer = browser.post(
        reverse("admin:dialer_import_add"), {"workspace": workspace.pk, "campaign": campaign.pk, "file": file}
    )

    source = Import.objects.get()
    assert answer.headers["Location"] == reverse("admin:dialer_import_change", args=[source.pk])
    assert 'hx-trigger="every 1s"' in browser.get(answer.headers["Location"]).content.decode()
    imports.read_batch(source.pk, now=database_now())
    done = browser.get(answer.headers["Location"]).content.decode()
    assert 'hx-trigger="every 1s"' not in done
    assert CampaignContact.objects.get().contact.name == "Anna"
    bad: Any = browser.get(reverse("admin:dialer_import_bad_rows", args=[source.pk]))
    assert b"".join(bad.streaming_content).decode().splitlines()[1].endswith("Bad,12")
    stranger = browser_of(make_workspace(name="Globex"))
    assert stranger.get(reverse("admin:dialer_import_bad_rows", args=[source.pk])).status_code == 404


@pytest.mark.parametrize(
    ("quota", "told"),
    [
        ({"IMPORT_MOST_LINES": 0}, "the file has more than 0 lines."),
        ({"IMPORTS_AT_ONCE": 0}, "the workspace has too many imports under way"),
    ],
)
def test_a_file_beyond_a_quota_is_refused_on_the_form(
    browser: Client, workspace: Workspace, quota: dict[str, int], told: str
) -> None:
    file = SimpleUploadedFile("people.csv", b"phone\n+4930123456\n")

    with override_settings(**quota):
        answer = browser.post(reverse("admin:dialer_import_add"), {"workspace": workspace.pk, "file": file})

    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not Import.objects.exists()


def test_a_file_may_be_for_no_campaign(browser: Client, workspace: Workspace) -> None:
    file = SimpleUploadedFile("people.csv", b"name,phone\nAnna,+4930123456\n")

    browser.post(reverse("admin:dialer_import_add"), {"workspace": workspace.pk, "campaign": "", "file": file})

    assert Import.objects.get().campaign is None


def test_a_file_cannot_be_put_into_a_campaign_of_another_workspace(browser: Client, workspace: Workspace) -> None:
    theirs = make_campaign(make_workspace(name="Globex"))
    file = SimpleUploadedFile("people.csv", b"name,phone\nAnna,+4930123456\n")

    answer = browser.post(
        reverse("admin:dialer_import_add"), {"workspace": workspace.pk, "campaign": theirs.pk, "file": file}
    )

    assert answer.status_code == 200
    assert not Import.objects.exists()


def test_contacts_are_made_changed_suppressed_and_forgotten(browser: Client, workspace: Workspace) -> None:
    form = {"workspace": workspace.pk, "name": "Anna", "phone": "+4930123456", "time_zone": "", "metadata": "{}"}
    assert (
        "phone" in browser.post(reverse("admin:dialer_contact_add"), form | {"phone": "12"}).context["errors"].as_text()
    )
    browser.post(reverse("admin:dialer_contact_add"), form)
    contact = Contact.objects.get()
    assert contact.zones == ["Europe/Berlin"]

    url = reverse("admin:dialer_contact_change", args=[contact.pk])
    browser.post(url, form | {"name": "Anne", "time_zone": "Asia/Tokyo"})
    contact.refresh_from_db()
    assert (contact.name, contact.zones) == ("Anne", ["Asia/Tokyo"])

    answer = browser.post(reverse("admin:dialer_contact_suppress", args=[contact.pk]), CONFIRMED)
    assert "is not called any more" in said(answer)
    assert Suppression.objects.get().phone == "+4930123456"
    browser.post(reverse("admin:dialer_contact_forget", args=[contact.pk]), CONFIRMED)
    contact.refresh_from_db()
    assert (contact.name, contact.phone) == ("", "")


def test_numbers_are_suppressed_in_a_list_and_lifted(browser: Client, workspace: Workspace) -> None:
    add = reverse("admin:dialer_suppression_add")
    bad = browser.post(add, {"workspace": workspace.pk, "phones": "+4930123456\nnobody", "source": "letter"})
    assert "nobody" in bad.content.decode()
    assert not Suppression.objects.exists()

    browser.post(add, {"workspace": workspace.pk, "phones": "+4930123456\n+4930123457", "source": "letter"})
    one, two = Suppression.objects.order_by("phone")
    browser.post(reverse("admin:dialer_suppression_lift", args=[one.pk]), CONFIRMED)

    assert list(Suppression.objects.all()) == [two]


def test_policies_are_previewed_before_they_are_saved(browser: Client, workspace: Workspace) -> None:
    rules = {"busy_delays": "10, 20", "busy_limit": "2", "imagined_outcome": "busy", "imagined_zone": "Asia/Tokyo"}
    preview = reverse("admin:callbacks_policy_preview")

    page = browser.post(preview, rules).content.decode()
    faulty = browser.post(preview, rules | {"busy_delays": "0"}).content.decode()

    assert "Callback 2:" in page
    assert "Callback 3:" not in page
    assert "exhausted" in page
    assert "JST" in page
    assert "busy.delays.0" in faulty


def test_policies_are_made_and_the_default_one_is_not_archived(browser: Client, workspace: Workspace) -> None:
    form = {"workspace": workspace.pk, "name": "Fast", "is_default": "on", "busy_delays": "10", "busy_limit": "2"}
    wrong = browser.post(reverse("admin:dialer_retrypolicy_add"), form | {"busy_delays": "0"})
    assert "must be" in wrong.content.decode()

    browser.post(reverse("admin:dialer_retrypolicy_add"), form)

    policy = RetryPolicy.objects.get()
    assert policy.rules == {"busy": {"delays": [10], "limit": 2}}
    answer = browser.post(reverse("admin:dialer_retrypolicy_archive", args=[policy.pk]), CONFIRMED)
    assert "Make another one the default first" in said(answer)

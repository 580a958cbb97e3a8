"""The report of a campaign, and the address that serves it."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dialer.campaigns import report as campaign_report
from dialer.models import Campaign
from dialer.rules import spreadsheet
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry
from tests.admin.people import browser_of
from tests.api.client import Api
from tests.factories import NOW, make_call, make_campaign, make_campaign_contact, make_contact, make_workspace

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=1)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def report(campaign: Campaign, *, now: datetime = LATER) -> list[dict[str, str]]:
    return rows_of("".join(campaign_report.lines(campaign, now=now)))


def get(url: str) -> Any:
    parts = urlsplit(url)
    return Client().get(f"{parts.path}?{parts.query}")


def body(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_a_report_has_a_row_per_contact_with_every_attempt_on_the_campaigns_clock() -> None:
    campaign = make_campaign(make_workspace(time_zone="Asia/Kolkata"))
    contact = make_contact(campaign.workspace, name="Zoë", phone="+919876543210", external_id="crm-7")
    reached = make_campaign_contact(
        campaign, contact, state="reached", result="answered", end_reason="answered", ended_at=NOW
    )
    calls = [
        make_call(campaign_contact=reached, status="ended", attempt_number=1, outcome="busy", ended_reason="busy"),
        make_call(
            campaign_contact=reached,
            status="ended",
            attempt_number=2,
            outcome="answered",
            ended_reason="contact_hangup",
            dialing_at=NOW + timedelta(hours=1),
            duration_seconds=47,
        ),
    ]
    never = make_campaign_contact(campaign, state="suppressed", end_reason="suppressed")
    make_call(campaign_contact=never, status="ended", outcome="cancelled", dialing_at=None)

    first, second = report(campaign)

    assert first == {
        "contact_id": contact.public_id,
        "external_id": "crm-7",
        "name": "Zoë",
        "phone": "+919876543210",
        "status": "completed",
        "end_reason": "answered",
        "ended_at": "2025-03-12T15:30:00+05:30",
        "attempts": "2",
        "attempt_1_call_id": calls[0].public_id,
        "attempt_1_started_at": "2025-03-12T15:30:00+05:30",
        "attempt_1_outcome": "busy",
        "attempt_1_ended_reason": "busy",
        "attempt_1_duration_seconds": "",
        "attempt_2_call_id": calls[1].public_id,
        "attempt_2_started_at": "2025-03-12T16:30:00+05:30",
        "attempt_2_outcome": "answered",
        "attempt_2_ended_reason": "contact_hangup",
        "attempt_2_duration_seconds": "47",
    }
    assert (second["contact_id"], second["status"], second["attempts"]) == (never.contact.public_id, "suppressed", "0")


def test_a_campaigns_own_zone_comes_before_that_of_its_workspace() -> None:
    campaign = make_campaign(time_zone="America/New_York")
    make_campaign_contact(campaign, state="exhausted", ended_at=NOW)

    assert report(campaign)[0]["ended_at"] == "2025-03-12T06:00:00-04:00"


def test_an_attempt_begun_after_the_reports_moment_is_not_in_it() -> None:
    campaign = make_campaign()
    member = make_campaign_contact(campaign, state="calling")
    make_call(campaign_contact=member, status="in_progress", dialing_at=NOW + timedelta(minutes=1))

    (row,) = report(campaign, now=NOW)

    assert row["attempts"] == "0"
    assert "attempt_1_call_id" not in row


def test_a_long_report_is_read_a_page_at_a_time_and_misses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_report, "PAGE", 2)
    campaign = make_campaign()
    ids = {make_campaign_contact(campaign).contact.public_id for _ in range(5)}

    with CaptureQueriesContext(connection) as queries:
        found = report(campaign)

    assert sorted(row["contact_id"] for row in found) == sorted(ids)
    assert len([query for query in queries if "report_contacts" in query["sql"]]) == 4


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_what_a_spreadsheet_would_compute_is_written_as_text(text: str) -> None:
    campaign = make_campaign()
    make_campaign_contact(campaign, make_contact(campaign.workspace, name=text, phone="+4930123456", external_id=text))

    (row,) = report(campaign)

    assert row["name"] == row["external_id"] == f"'{text}"
    assert row["phone"] == "+4930123456"


def test_a_harmless_cell_stays_as_it_is() -> None:
    assert spreadsheet.line(["a,b", 'say "hi"', None, 7, "O'Neil"]) == '"a,b","say ""hi""",,7,O\'Neil\r\n'


def test_whoever_has_the_address_gets_the_report_without_a_login() -> None:
    campaign = make_campaign()
    make_campaign_contact(campaign)

    answer = get(campaign_report.report_url(campaign.pk, now=database_now()))

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["Cache-Control"] == "private, no-store"
    assert len(rows_of(body(answer))) == 1


def test_an_address_serves_for_30_days_and_not_longer() -> None:
    campaign = make_campaign()
    now = database_now()

    assert (
        get(campaign_report.report_url(campaign.pk, now=now - timedelta(days=30) + timedelta(minutes=1))).status_code
        == 200
    )
    assert get(campaign_report.report_url(campaign.pk, now=now - timedelta(days=30, seconds=1))).status_code == 404


def test_addresses_that_were_given_out_before_can_be_revoked() -> None:
    api = Api()
    campaign, other = make_campaign(api.workspace), make_campaign(api.workspace)
    now = database_now()
    before, of_another = (campaign_report.report_url(each.pk, now=now) for each in (campaign, other))

    revoked = api.post(f"campaigns/{campaign.public_id}/revoke-report-addresses/", {"reason": "sent to a wrong person"})

    later = campaign_report.report_url(campaign.pk, now=database_now() + timedelta(seconds=1))
    assert revoked.status_code == 200
    assert [get(url).status_code for url in (before, of_another, later)] == [404, 200, 200]
    entry = AuditEntry.objects.get(verb="revoke_report_addresses")
    assert (entry.object_id, entry.reason) == (campaign.public_id, "sent to a wrong person")


def test_no_part_of_an_address_can_be_changed() -> None:
    campaign, other = make_campaign(), make_campaign()
    url = campaign_report.report_url(campaign.pk, now=database_now())
    parts = urlsplit(url)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    later = str(int(given["expires"]) + 1)

    for changed in (
        f"{parts.path}?{urlencode(given | {'expires': later})}",
        f"{parts.path}?{urlencode(given | {'expires': '9' * 400})}",
        f"{parts.path}?{urlencode(given | {'expires': '-1'})}",
        f"{parts.path}?{urlencode(given | {'signature': ''})}",
        f"{parts.path}?{urlencode(given | {'signature': given['signature'][:-1]})}",
        f"{parts.path}?{urlencode(given | {'signature': 'ü' * 64})}",
        f"{parts.path}?expires={given['expires']}",
        parts.path,
        url.replace(campaign.public_id, other.public_id),
        url.replace(campaign.public_id, "camp_x"),
    ):
        assert get(changed).status_code == 404, changed


def test_an_address_of_a_campaign_that_is_gone_is_not_found() -> None:
    campaign = make_campaign()
    url = campaign_report.report_url(campaign.pk, now=database_now())
    campaign.delete()

    assert get(url).status_code == 404


def test_an_address_outlives_a_change_of_the_key_as_long_as_the_former_one_is_kept() -> None:
    url = campaign_report.report_url(make_campaign().pk, now=database_now())

    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):  # noqa: S106 — guards nothing
        assert get(url).status_code == 404
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):  # noqa: S106 — guards nothing
        assert get(url).status_code == 200


def test_members_get_the_report_through_the_api() -> None:
    api = Api(scope="read")
    campaign = make_campaign(api.workspace)
    make_campaign_contact(campaign)

    mine = api.get(f"campaigns/{campaign.public_id}/report.csv")

    assert len(rows_of(body(mine))) == 1
    assert api.get(f"campaigns/{make_campaign().public_id}/report.csv").status_code == 404


def test_the_address_expires_at_a_time_that_can_be_read_in_it() -> None:
    url = campaign_report.report_url(make_campaign().pk, now=NOW)

    (expires,) = parse_qs(urlsplit(url).query)["expires"]

    assert datetime.fromtimestamp(int(expires), UTC) == NOW + timedelta(days=30)


def test_members_get_the_report_from_the_campaigns_page_and_others_do_not() -> None:
    campaign = make_campaign()
    make_campaign_contact(campaign)
    browser = browser_of(campaign.workspace)
    page = browser.get(reverse("admin:dialer_campaign_change", args=[campaign.pk])).content.decode()
    button = reverse("admin:dialer_campaign_report", args=[campaign.pk])

    assert button in page
    assert len(rows_of(body(browser.get(button)))) == 1
    assert browser.get(reverse("admin:dialer_campaign_report", args=[make_campaign().pk])).status_code in (403, 404)


def test_every_line_of_a_report_has_as_many_cells_as_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_report, "PAGE", 2)
    campaign = make_campaign()
    for attempts in (0, 3, 1, 2):
        member = make_campaign_contact(campaign, state="exhausted")
        for number in range(attempts):
            make_call(campaign_contact=member, status="ended", attempt_number=number + 1)

    header, *lines = csv.reader(io.StringIO("".join(campaign_report.lines(campaign, now=LATER))))

    assert len(header) == len(campaign_report.OF_CONTACT) + 3 * len(campaign_report.OF_ATTEMPT)
    assert [len(line) for line in lines] == 4 * [len(header)]
    assert sorted(line[header.index("attempts")] for line in lines) == ["0", "1", "2", "3"]


def test_an_attempt_that_is_stored_while_a_report_is_sent_adds_no_cells() -> None:
    campaign = make_campaign()
    member = make_campaign_contact(campaign, state="calling")
    make_call(campaign_contact=member, status="ended", attempt_number=1)
    lines = campaign_report.lines(campaign, now=LATER)
    header = next(lines)

    make_call(campaign_contact=member, status="ended", attempt_number=2)

    rows = list(csv.reader(io.StringIO(header + "".join(lines))))
    assert [len(row) for row in rows] == [13, 13]
    assert rows[1][rows[0].index("attempts")] == "1"

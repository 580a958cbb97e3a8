"""The callback queue, as the operator works with it."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from callbacks.models import Callback
from dialer.models import Campaign
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Member, Workspace
from tests.admin.people import CONFIRMED, browser_of, make_callback, row_of, said
from tests.admin.queue_pages import LATE, LIST, in_bulk, is_being_dialled, listed, press
from tests.factories import ROUND_THE_CLOCK, make_campaign, make_contact, make_workspace
from tests.webhooks.rows import NOW, make_endpoint, new_event, record
from webhooks import batches
from webhooks.outbox import NewItem
from webhooks.rules.statuses import BatchType

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    return browser_of(workspace)


def test_the_queue_opens_on_the_most_urgent_tab_that_has_rows(browser: Client, workspace: Workspace) -> None:
    opened = browser.get(reverse(LIST))
    assert opened.headers["Location"].endswith("?queue=all_pending")

    make_callback(workspace, late=LATE)

    assert browser.get(reverse(LIST)).headers["Location"].endswith("?queue=overdue")


def test_a_row_says_who_why_when_on_both_clocks_how_late_where_and_why_it_waits(
    browser: Client, workspace: Workspace
) -> None:
    campaign = make_campaign(workspace, name="Spring", status="paused")
    callback = make_callback(workspace, late=LATE, campaign=campaign, name="Erika Muster", notes="Ask for Max")

    page = listed(browser, "overdue").replace("\N{NO-BREAK SPACE}", " ")

    for text in (
        "Erika Muster",
        callback.contact.phone,
        "Retry 1 of 3",
        "after no answer",
        "12 min late",
        "Spring",
        campaign.persona.name,
        "The campaign is paused.",
        "Ask for Max",
    ):
        assert text in page, text
    for zone in ("Europe/Berlin", "America/New_York"):
        assert f"{callback.scheduled_at.astimezone(ZoneInfo(zone)):%H:%M %Z}" in page


def test_tabs_count_what_they_show(browser: Client, workspace: Workspace) -> None:
    make_callback(workspace, late=LATE, name="Late One")
    make_callback(workspace, late=timedelta(days=-20), name="Far Off")

    page = listed(browser, "overdue")

    assert "Overdue  1" in page
    assert "All pending  2" in page
    assert "Late One" in page
    assert "Far Off" not in page


def test_history_shows_what_is_over_and_no_tab_shows_it_else(browser: Client, workspace: Workspace) -> None:
    over = make_callback(workspace, name="Gone By")
    Callback.objects.filter(pk=over.pk).update(status="done")

    make_callback(workspace, name="Still To Come")

    history = listed(browser, "history")
    assert "Gone By" in history
    assert "Still To Come" not in history
    assert "Gone By" not in listed(browser, "all_pending")


@pytest.mark.parametrize("wanted", ["erika", "mus", "muster erika", "{phone}", "{digits}"])
def test_search_finds_words_of_a_name_and_whole_numbers(browser: Client, workspace: Workspace, wanted: str) -> None:
    found = make_callback(workspace, name="Erika Muster")
    make_callback(workspace, name="Somebody Else")
    phone = found.contact.phone

    page = listed(browser, q=wanted.format(phone=phone, digits=f"00{phone[1:3]} {phone[3:]}"))

    assert "Erika Muster" in page
    assert "Somebody Else" not in page


def test_filters_keep_a_campaign_a_type_and_an_outcome(browser: Client, workspace: Workspace) -> None:
    campaign = make_campaign(workspace, schedule=ROUND_THE_CLOCK)
    make_callback(workspace, name="Kept One", campaign=campaign, original_outcome="busy")
    make_callback(workspace, name="Other One", type="manual", number=None, limit=None)

    for query in ({"campaign": campaign.public_id}, {"type": "auto_retry"}, {"outcome": "busy"}):
        page = listed(browser, **query)
        assert "Kept One" in page
        assert "Other One" not in page


def test_a_button_asks_before_it_does_anything(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, late=LATE, name="Erika Muster")

    for verb in ("call_now", "reschedule", "skip", "cancel", "complete"):
        asked = browser.get(reverse(f"admin:callbacks_callback_{verb}", args=[callback.pk]))
        assert asked.status_code == 200
        assert "csrfmiddlewaretoken" in asked.content.decode()
    assert "Their clock" in browser.get(
        reverse("admin:callbacks_callback_reschedule", args=[callback.pk])
    ).content.decode().replace("&#x27;", "'")
    assert not AuditEntry.objects.exists()


def test_call_now_makes_the_callback_due_and_says_so(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, late=-LATE, name="Erika Muster")

    answer = press(browser, "call_now", callback, reason="She rang")

    assert said(answer) == "Erika Muster is called next."
    assert row_of(callback.pk).call.rank == 0
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.actor_kind, entry.reason) == ("call_now", "user", "She rang")


def test_a_time_is_read_on_the_clock_that_was_chosen(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace)
    day = (database_now() + timedelta(days=3)).date()

    for clock, zone in (("theirs", "Europe/Berlin"), ("mine", "America/New_York")):
        press(browser, "reschedule", callback, when=f"{day}T14:30", clock=clock)
        local = row_of(callback.pk).scheduled_at.astimezone(ZoneInfo(zone))
        assert f"{local:%Y-%m-%dT%H:%M}" == f"{day}T14:30"


def test_a_time_that_is_not_permitted_is_refused_in_the_dialog_with_the_next_that_is(
    browser: Client, workspace: Workspace
) -> None:
    campaign = make_campaign(workspace, schedule={"calling_hours": {"start": "10:00", "end": "12:00"}})
    callback = make_callback(workspace, campaign=campaign, scheduled_at=database_now() + timedelta(days=2))
    day = (database_now() + timedelta(days=3)).date()

    answer = press(browser, "reschedule", callback, when=f"{day}T20:00", clock="theirs")

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "Outside the calling window; the next permitted time is" in text
    assert f"{day}T20:00" in text
    assert row_of(callback.pk).scheduled_at == callback.scheduled_at


def test_force_needs_a_reason_and_the_permission(workspace: Workspace) -> None:
    campaign = make_campaign(workspace, status="paused", schedule=ROUND_THE_CLOCK)
    callback = make_callback(workspace, campaign=campaign, late=LATE)
    manager, operator = browser_of(workspace), browser_of(workspace, role="operator")

    assert "Forcing needs a reason" in press(manager, "call_now", callback, force="on").content.decode()
    assert press(operator, "call_now", callback, force="on", reason="Because").status_code == 403
    assert row_of(callback.pk).call.force is None

    press(manager, "call_now", callback, force="on", reason="The customer waits")

    forced = row_of(callback.pk).call.force
    assert forced is not None
    assert forced["reason"] == "The customer waits"


@pytest.mark.parametrize(("verb", "status"), [("skip", "skipped"), ("cancel", "cancelled"), ("complete", "completed")])
def test_skip_cancel_and_complete_end_the_callback(
    browser: Client, workspace: Workspace, verb: str, status: str
) -> None:
    callback = make_callback(workspace, late=LATE)

    answer = press(browser, verb, callback)

    assert answer.status_code == 302
    assert row_of(callback.pk).status == status
    assert AuditEntry.objects.get().verb == verb


@pytest.mark.parametrize("verb", ["call_now", "skip", "cancel", "complete"])
def test_a_callback_that_is_being_dialled_refuses_every_button(
    browser: Client, workspace: Workspace, verb: str
) -> None:
    callback = make_callback(workspace)
    is_being_dialled(callback)

    answer = press(browser, verb, callback)

    assert "is dialing and cannot become" in answer.content.decode()
    assert row_of(callback.pk).status == "dialing"


def test_a_promise_cannot_be_skipped_and_the_dialog_says_why(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, type="customer_requested", number=None, limit=None)

    assert "Only a retry can be skipped" in press(browser, "skip", callback).content.decode()


@pytest.mark.parametrize(
    ("verb", "did", "changed"),
    [
        ("call_now_selected", "to be called next", {"status": "pending"}),
        ("reschedule_selected", "rescheduled", {"status": "pending"}),
        ("skip_selected", "skipped", {"status": "skipped"}),
        ("cancel_selected", "cancelled", {"status": "cancelled"}),
        ("complete_selected", "completed", {"status": "completed"}),
    ],
)
def test_a_bulk_action_counts_what_changed_and_what_did_not(
    browser: Client, workspace: Workspace, verb: str, did: str, changed: dict[str, str]
) -> None:
    callbacks = [make_callback(workspace, late=LATE) for _ in range(3)]
    is_being_dialled(callbacks[2])
    when = f"{(database_now() + timedelta(days=2)).date()}T14:30"

    answer = in_bulk(browser, verb, callbacks, when=when, clock="theirs")

    assert said(answer) == f"2 {did}, 1 already being dialled."
    assert [row_of(callback.pk).status for callback in callbacks] == [*[changed["status"]] * 2, "dialing"]
    assert AuditEntry.objects.count() == 2


def test_a_bulk_action_asks_first(browser: Client, workspace: Workspace) -> None:
    callbacks = [make_callback(workspace, late=LATE) for _ in range(2)]

    asked = browser.post(
        f"{reverse(LIST)}?queue=overdue",
        {"action": "cancel_selected", ACTION_CHECKBOX_NAME: [str(c.pk) for c in callbacks], "index": "0"},
    )

    assert "Cancel: 2 selected" in asked.content.decode()
    assert {row_of(callback.pk).status for callback in callbacks} == {"pending"}


def test_a_bulk_action_leaves_rows_of_other_workspaces_alone(browser: Client, workspace: Workspace) -> None:
    mine, theirs = make_callback(workspace, late=LATE), make_callback(make_workspace(), late=LATE)

    answer = in_bulk(browser, "cancel_selected", [mine, theirs])

    assert said(answer) == "1 cancelled."
    assert row_of(theirs.pk).status == "pending"


def test_viewers_see_the_queue_and_no_button(workspace: Workspace) -> None:
    callback = make_callback(workspace, late=LATE, name="Erika Muster")
    viewer = browser_of(workspace, role="viewer")

    assert "Erika Muster" in listed(viewer)
    assert "Mark complete" not in listed(viewer)
    assert press(viewer, "cancel", callback).status_code == 403
    in_bulk(viewer, "cancel_selected", [callback])
    assert row_of(callback.pk).status == "pending"


def test_staff_of_another_workspace_find_nothing_by_list_filter_search_address_or_button(
    workspace: Workspace,
) -> None:
    callback = make_callback(workspace, late=LATE, name="Erika Muster")
    stranger = browser_of(make_workspace(name="Globex"))
    campaign: Campaign = callback.contact.campaign_contacts.get().campaign

    assert "Erika Muster" not in listed(stranger)
    assert campaign.name not in listed(stranger)
    for wanted in ("Erika", callback.contact.phone, callback.contact.public_id, callback.call.public_id):
        assert "Erika Muster" not in listed(stranger, q=wanted)
    assert stranger.get(reverse("admin:callbacks_callback_change", args=[callback.pk])).status_code == 302
    asked = stranger.get(reverse("admin:callbacks_callback_reschedule", args=[callback.pk])).content.decode()
    assert callback.contact.phone not in asked
    assert "no such row" in said(press(stranger, "cancel", callback))
    assert row_of(callback.pk).status == "pending"


def test_members_of_workspaces_in_two_zones_see_the_rows_of_both(workspace: Workspace) -> None:
    far = make_workspace(name="Far", time_zone="Asia/Tokyo")
    browser = browser_of(workspace)
    user: Any = browser.get(reverse(LIST)).wsgi_request.user
    Member.objects.create(workspace=far, user=user, role="viewer")
    make_callback(workspace, late=LATE, name="Near Row")
    make_callback(far, late=LATE, name="Far Row")
    make_callback(make_workspace(), late=LATE, name="Strange Row")

    page = listed(browser, "overdue")

    assert "Near Row" in page
    assert "Far Row" in page
    assert "Strange Row" not in page
    assert "Overdue  2" in page


def test_a_page_of_the_queue_asks_as_often_for_50_rows_as_for_5(browser: Client, workspace: Workspace) -> None:
    counts = []
    for more in (5, 45):
        for _ in range(more):
            make_callback(workspace, late=LATE)
        with CaptureQueriesContext(connection) as queries:
            page = listed(browser, "overdue")
        counts.append((page.count("12 min late"), len(queries)))

    (few, asked_for_few), (many, asked_for_many) = counts
    assert (few, many) == (5, 50)
    assert asked_for_few == asked_for_many < 25


def test_an_operator_promises_a_call_by_number(workspace: Workspace) -> None:
    operator = browser_of(workspace, role="operator")
    campaign = make_campaign(workspace, schedule=ROUND_THE_CLOCK)
    contact = make_contact(workspace, name="Erika Muster")
    day = (database_now() + timedelta(days=3)).date()
    url = reverse("admin:callbacks_callback_promise")
    form = {
        **CONFIRMED,
        "who": contact.phone,
        "campaign": str(campaign.pk),
        "type": "customer_requested",
        "when": f"{day}T14:30",
        "clock": "theirs",
        "notes": "Ask for Max",
    }
    assert "New callback" in listed(operator)
    assert "There is no such contact" in operator.post(url, form | {"who": "+4911111111"}).content.decode()

    answer = operator.post(url, form)

    callback = Callback.objects.get()
    assert "is promised a call on" in said(answer)
    assert (callback.type, callback.notes) == ("customer_requested", "Ask for Max")
    assert f"{callback.scheduled_at.astimezone(ZoneInfo('Europe/Berlin')):%Y-%m-%dT%H:%M}" == f"{day}T14:30"
    again = operator.post(url, form | {"type": "manual"}).content.decode()
    assert "The contact has a pending callback already" in again


def test_nobody_promises_calls_to_contacts_of_other_workspaces(workspace: Workspace) -> None:
    contact = make_contact(workspace)
    stranger = browser_of(make_workspace(name="Globex"))
    form = {**CONFIRMED, "who": contact.public_id, "type": "manual", "when": "2027-03-01T10:00", "clock": "mine"}

    answer = stranger.post(reverse("admin:callbacks_callback_promise"), form)

    assert "There is no such contact" in answer.content.decode()
    assert not Callback.objects.exists()


def test_no_status_can_be_written_by_hand(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace)
    url = reverse("admin:callbacks_callback_change", args=[callback.pk])

    assert browser.post(url, {"status": "done", "notes": "x"}).status_code == 403
    assert row_of(callback.pk).status == "pending"
    assert 'name="status"' not in browser.get(url).content.decode()


def test_the_timeline_tells_calls_callbacks_explanations_and_who_did_what(
    browser: Client, workspace: Workspace
) -> None:
    callback = make_callback(workspace, late=LATE, contact=make_contact(workspace, name="Erika Muster"))
    press(browser, "skip", callback, reason="On holiday")

    page = browser.get(reverse("admin:callbacks_callback_change", args=[callback.pk])).content.decode()

    for text in (
        f"Call 1 to {callback.contact.phone}",
        "no answer",
        "the campaign asks for retry 1",
        "Skip: callback",
        "Reason: On holiday",
        "callback.skipped",
        "No endpoint hears it",
    ):
        assert text in page, text


def test_the_timeline_tells_of_events_that_go_out_in_arrays(browser: Client, workspace: Workspace) -> None:
    endpoint = make_endpoint(workspace, name="Warehouse", profile="batch", batch_wait_seconds=0)
    callback = make_callback(workspace, late=LATE)
    chain_id = callback.call.chain_id
    item = NewItem(type=BatchType.CALL_ATTEMPTED, render=lambda _: {"status": "success"})
    record(new_event(workspace, type="call.attempted", chain_id=chain_id, batch=item))
    url = reverse("admin:callbacks_callback_change", args=[callback.pk])

    before = browser.get(url).content.decode()
    batches.freeze_due(now=NOW)
    after = browser.get(url).content.decode()

    assert f"{endpoint.name}: waits to be sent with others" in before
    assert f"{endpoint.name}: pending" in after
    assert "waits to be sent" not in after

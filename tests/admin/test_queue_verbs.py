"""What is done to callbacks beside the five actions: taken back, edited, and all that the list shows at once."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from callbacks.models import BulkAction, Callback
from callbacks.tasks import run_bulk
from dialer.models import Campaign
from dialer.workspaces.clock import database_now
from dialer.workspaces.models import AuditEntry, Workspace
from tests.admin.people import CONFIRMED, browser_of, make_callback, row_of, said
from tests.admin.queue_pages import LATE, LIST, in_bulk, is_being_dialled, listed, press
from tests.factories import ROUND_THE_CLOCK, make_campaign, make_persona, make_workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return make_workspace()


@pytest.fixture
def browser(workspace: Workspace) -> Client:
    return browser_of(workspace)


@pytest.mark.parametrize("verb", ["skip", "cancel", "complete"])
def test_the_notice_of_what_ends_a_callback_offers_to_take_it_back_at_once(
    browser: Client, workspace: Workspace, verb: str
) -> None:
    callback = make_callback(workspace, name="Erika Muster")
    undo = reverse("admin:callbacks_callback_undo", args=[callback.pk])

    assert f'action="{undo}"' in said(press(browser, verb, callback))
    answer = press(browser, "undo", callback)

    assert "Erika Muster is to be called again" in said(answer)
    assert row_of(callback.pk).status == "pending"


def test_undo_is_offered_where_it_is_possible_and_refuses_in_words_where_it_is_not(
    browser: Client, workspace: Workspace
) -> None:
    callback = make_callback(workspace, name="Erika Muster")
    url = reverse("admin:callbacks_callback_change", args=[callback.pk])
    undo = reverse("admin:callbacks_callback_undo", args=[callback.pk])
    assert undo not in browser.get(url).content.decode()
    assert undo not in listed(browser)

    press(browser, "cancel", callback)

    assert undo in browser.get(url).content.decode()
    assert undo in listed(browser, "history")
    Campaign.objects.update(status="completed")
    assert "The campaign has ended." in press(browser, "undo", callback).content.decode()


def test_persona_and_notes_are_changed_on_the_row(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, notes="Ask for Max")
    maria = make_persona(workspace, name="Maria")
    shown = browser.get(reverse("admin:callbacks_callback_edit", args=[callback.pk])).content.decode()
    assert "Ask for Max" in shown

    press(browser, "edit", callback, persona=str(maria.pk), notes="Ask for Moritz", reason="Spanish")

    edited = row_of(callback.pk)
    assert (edited.assigned_persona, edited.notes, edited.call.persona) == (maria, "Ask for Moritz", maria)
    assert AuditEntry.objects.get().verb == "edit"


def test_nobody_is_assigned_who_belongs_to_another_workspace(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace)

    answer = press(browser, "edit", callback, persona=str(make_persona().pk), notes="")

    assert "Select a valid choice" in answer.content.decode()
    assert row_of(callback.pk).assigned_persona is None


def test_of_many_only_what_is_filled_in_is_changed(browser: Client, workspace: Workspace) -> None:
    callbacks = [make_callback(workspace, notes=f"Note {number}") for number in range(2)]
    maria = make_persona(workspace, name="Maria")

    answer = in_bulk(browser, "edit_selected", callbacks, persona=str(maria.pk), notes="")

    assert said(answer) == "2 edited."
    assert [row_of(callback.pk).notes for callback in callbacks] == ["Note 0", "Note 1"]
    assert {row_of(callback.pk).assigned_persona for callback in callbacks} == {maria}


def test_all_that_the_list_shows_is_done_by_a_job_that_tells_how_far_it_is(
    browser: Client, workspace: Workspace
) -> None:
    campaign = make_campaign(workspace, schedule=ROUND_THE_CLOCK)
    rows = [make_callback(workspace, late=LATE, campaign=campaign) for _ in range(3)]
    other = make_callback(workspace, late=LATE)
    ticked = {"action": "cancel_selected", ACTION_CHECKBOX_NAME: [str(rows[0].pk)]}
    url = f"{reverse(LIST)}?queue=overdue&campaign={campaign.public_id}"
    assert "All that the list shows (3)" in browser.post(url, {**ticked, "index": "0"}).content.decode()

    answer = browser.post(url, {**ticked, **CONFIRMED, "_all_matching": "1", "reason": "storm"})
    job = BulkAction.objects.get()
    assert answer.headers["Location"] == reverse("admin:callbacks_bulkaction_change", args=[job.pk])
    is_being_dialled(rows[2])
    under_way = browser.get(answer.headers["Location"]).content.decode()
    run_bulk(str(job.pk))
    done = browser.get(answer.headers["Location"]).content.decode()

    assert 'hx-trigger="every 1s"' in under_way
    assert "2 cancelled, 1 already being dialled." in done
    assert 'hx-trigger="every 1s"' not in done
    assert [row_of(row.pk).status for row in rows] == ["cancelled", "cancelled", "dialing"]
    assert row_of(other.pk).status == "pending"
    assert set(AuditEntry.objects.filter(verb="cancel").values_list("reason", flat=True)) == {"storm"}


@pytest.mark.parametrize(("meant", "count"), [({"_all_matching": "1"}, 2), ({}, 1)])
def test_a_dry_run_of_what_is_ticked_or_all_that_the_list_shows_changes_nothing(
    browser: Client, workspace: Workspace, meant: dict[str, str], count: int
) -> None:
    rows = [make_callback(workspace, late=LATE) for _ in range(2)]
    form = {"action": "skip_selected", ACTION_CHECKBOX_NAME: [str(rows[0].pk)], **CONFIRMED}

    browser.post(f"{reverse(LIST)}?queue=overdue", {**form, **meant, "_dry_run": "1"})
    job = BulkAction.objects.get()
    run_bulk(str(job.pk))

    page = browser.get(reverse("admin:callbacks_bulkaction_change", args=[job.pk])).content.decode()
    assert f"{count} would be skipped." in page
    assert {row_of(row.pk).status for row in rows} == {"pending"}


def test_a_time_for_all_is_on_each_contacts_own_clock(browser: Client, workspace: Workspace) -> None:
    far = make_callback(workspace, late=LATE, time_zone="Asia/Tokyo")
    day = (database_now() + timedelta(days=2)).date()
    form = {"action": "reschedule_selected", ACTION_CHECKBOX_NAME: [str(far.pk)], **CONFIRMED}

    browser.post(
        f"{reverse(LIST)}?queue=overdue", {**form, "_all_matching": "1", "when": f"{day}T14:30", "clock": "theirs"}
    )
    run_bulk(str(BulkAction.objects.get().pk))

    local = row_of(far.pk).scheduled_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{local:%Y-%m-%dT%H:%M}" == f"{day}T14:30"


def test_a_job_can_be_stopped_and_strangers_see_none_of_it(browser: Client, workspace: Workspace) -> None:
    callback = make_callback(workspace, late=LATE)
    form = {"action": "cancel_selected", ACTION_CHECKBOX_NAME: [str(callback.pk)], **CONFIRMED, "_all_matching": "1"}
    browser.post(f"{reverse(LIST)}?queue=overdue", form)
    job = BulkAction.objects.get()
    stop = reverse("admin:callbacks_bulkaction_stop", args=[job.pk])
    stranger, viewer = browser_of(make_workspace()), browser_of(workspace, role="viewer")

    assert stranger.get(reverse("admin:callbacks_bulkaction_change", args=[job.pk])).status_code == 302
    assert "no such row" in said(stranger.post(stop, CONFIRMED))
    assert viewer.post(stop, CONFIRMED).status_code == 403
    assert "The bulk action is stopped." in said(browser.post(stop, CONFIRMED))

    run_bulk(str(job.pk))
    assert row_of(callback.pk).status == "pending"


def test_in_the_history_only_undo_is_there_for_many(browser: Client, workspace: Workspace) -> None:
    callbacks = [make_callback(workspace) for _ in range(2)]
    in_bulk(browser, "cancel_selected", callbacks)
    ids = [str(callback.pk) for callback in callbacks]

    page = listed(browser, "history")
    answer = browser.post(
        f"{reverse(LIST)}?queue=history", {"action": "undo_selected", ACTION_CHECKBOX_NAME: ids, **CONFIRMED}
    )

    assert 'value="undo_selected"' in page
    assert 'value="cancel_selected"' not in page
    assert said(answer) == "2 undone."


def test_a_job_over_the_history_takes_what_can_be_taken_back(browser: Client, workspace: Workspace) -> None:
    cancelled, dialled = (make_callback(workspace) for _ in range(2))
    in_bulk(browser, "cancel_selected", [cancelled])
    Callback.objects.filter(pk=dialled.pk).update(status="done")
    ticked = {"action": "undo_selected", ACTION_CHECKBOX_NAME: [str(cancelled.pk)], **CONFIRMED}

    url = f"{reverse(LIST)}?queue=history"
    asking = {name: value for name, value in ticked.items() if name not in CONFIRMED}
    assert "All that the list shows (1)" in browser.post(url, {**asking, "index": "0"}).content.decode()

    browser.post(url, {**ticked, "_all_matching": "1"})

    assert BulkAction.objects.get().total == 1


def test_a_page_offers_what_the_state_of_its_callback_takes(browser: Client, workspace: Workspace) -> None:
    pending, cancelled, dialled = (make_callback(workspace) for _ in range(3))
    press(browser, "cancel", cancelled)
    Callback.objects.filter(pk=dialled.pk).update(status="done")

    def offered(callback: Callback) -> set[str]:
        page = browser.get(reverse("admin:callbacks_callback_change", args=[callback.pk])).content.decode()
        verbs = ("call_now", "cancel", "undo")
        return {verb for verb in verbs if reverse(f"admin:callbacks_callback_{verb}", args=[callback.pk]) in page}

    assert offered(pending) == {"call_now", "cancel"}
    assert offered(dialled) == set()
    browser.get(reverse(LIST))  # shows, and so clears, the notice that offers to undo
    assert offered(cancelled) == {"undo"}

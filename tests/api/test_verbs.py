"""What people do to callbacks and calls beside the five actions, over HTTP."""

from typing import Any

import pytest

from callbacks.models import BulkAction, Callback
from callbacks.tasks import run_bulk
from dialer.models import Call, CampaignContact
from dialer.workspaces.models import AuditEntry
from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import make_callback, open_campaign, soon
from tests.factories import (
    make_call,
    make_campaign_contact,
    make_contact,
    make_persona,
    make_suppression,
    make_workspace,
)

pytestmark = pytest.mark.django_db


def conflict(answer: Answer) -> tuple[str, dict[str, Any]]:
    assert answer.status_code == 409, answer.content
    error = error_of(answer)
    return error["code"], error["details"]


class TestUndo:
    @pytest.mark.parametrize("verb", ["cancel", "skip", "complete"])
    def test_what_was_done_by_mistake_is_taken_back(self, verb: str) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        api.post(f"callbacks/{callback.pk}/{verb}/")

        answer = api.post(f"callbacks/{callback.pk}/undo/", {"reason": "wrong row"})

        assert answer.status_code == 200, answer.content
        assert answer.json()["status"] == "pending"
        assert answer.json()["explanation"][-1]["code"] == "undone"
        assert Callback.objects.get(status="pending") == callback
        assert AuditEntry.objects.get(verb="undo").reason == "wrong row"

    def test_where_something_else_is_promised_the_conflict_names_it(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        callback = make_callback(campaign, at=soon(hours=5))
        api.post(f"callbacks/{callback.pk}/cancel/")
        body = {"contact_id": callback.contact.public_id, "campaign_id": campaign.public_id}
        made = api.post("callbacks/", {**body, "scheduled_at": soon(hours=1).isoformat()}).json()

        assert conflict(api.post(f"callbacks/{callback.pk}/undo/")) == ("already_pending", {"callback_id": made["id"]})

    def test_what_was_cancelled_with_its_number_is_not_taken_back_by_hand(self) -> None:
        api = Api(scope="admin")
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        entry = api.post("suppressions/", {"phone": callback.contact.phone, "reason": "manual"}).json()

        assert conflict(api.post(f"callbacks/{callback.pk}/undo/"))[0] == "contact_suppressed"
        api.delete(f"suppressions/{entry['id']}/", {"reason": "mistake"})
        assert conflict(api.post(f"callbacks/{callback.pk}/undo/")) == ("not_undoable", {"why": "not_by_hand"})

    def test_a_pending_callback_has_nothing_to_be_taken_back(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))

        assert conflict(api.post(f"callbacks/{callback.pk}/undo/"))[1]["from"] == "pending"


class TestEditing:
    def test_notes_and_persona_are_changed_and_what_is_not_named_stays(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5), notes="Ask for Max")
        maria = make_persona(api.workspace, name="Maria")

        row = api.patch(f"callbacks/{callback.pk}/", {"persona_id": maria.public_id, "reason": "Speaks Spanish"}).json()

        assert (row["persona"]["name"], row["notes"]) == ("Maria", "Ask for Max")
        assert AuditEntry.objects.get(verb="edit").reason == "Speaks Spanish"
        assert api.patch(f"callbacks/{callback.pk}/", {"notes": "Gone"}).json()["notes"] == "Gone"

    def test_another_workspaces_persona_is_refused_by_its_field(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))

        refused = api.patch(f"callbacks/{callback.pk}/", {"persona_id": make_persona().public_id})

        assert list(error_of(refused)["fields"]) == ["persona_id"]

    def test_a_callback_that_is_over_is_a_conflict(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5), status="done")

        assert conflict(api.patch(f"callbacks/{callback.pk}/", {"notes": "x"}))[1]["from"] == "done"


class TestForce:
    FORCED = {"force": ["campaign_paused"], "reason": "She waits"}

    def test_force_stands_in_the_explanation_and_in_the_audit_with_its_reason(self) -> None:
        workspace = make_workspace()
        callback = make_callback(open_campaign(workspace, status="paused"), at=soon(hours=5))

        row = Api(workspace, scope="admin").post(f"callbacks/{callback.pk}/call-now/", self.FORCED).json()

        assert row["explanation"][-1]["text"] == "Forced past campaign_paused: She waits"
        entry = AuditEntry.objects.get(verb="call_now")
        assert (entry.to_state["forced"], entry.reason) == (["campaign_paused"], "She waits")

    def test_a_move_without_force_takes_the_force_of_an_earlier_one_away(self) -> None:
        workspace = make_workspace()
        callback = make_callback(open_campaign(workspace, status="paused"), at=soon(hours=5))
        api = Api(workspace, scope="admin")
        api.post(f"callbacks/{callback.pk}/call-now/", self.FORCED)

        api.post(f"callbacks/{callback.pk}/reschedule/", {"scheduled_at": soon(hours=3).isoformat()})

        assert Call.objects.get(pk=callback.call_id).force is None

    @pytest.mark.parametrize("path", ["callbacks/{}/call-now/", "callbacks/{}/reschedule/", "callbacks/bulk/"])
    def test_without_an_admin_key_it_is_forbidden_and_without_a_reason_a_field_is_at_fault(self, path: str) -> None:
        workspace = make_workspace()
        callback = make_callback(open_campaign(workspace), at=soon(hours=5))
        body: dict[str, Any] = {**self.FORCED, "scheduled_at": soon(hours=3).isoformat()}
        if "call-now" in path:
            del body["scheduled_at"]
        if "bulk" in path:
            body |= {"action": "reschedule", "ids": [callback.pk]}
        named = path.format(callback.pk)

        assert Api(workspace).post(named, body).status_code == 403
        refused = Api(workspace, scope="admin").post(named, {**body, "reason": " "})
        assert list(error_of(refused)["fields"]) == ["reason"]
        assert Api(workspace, scope="admin").post(named, body).status_code == 200

    def test_a_suppression_is_none_of_the_checks_and_cannot_be_forced(self) -> None:
        api = Api(scope="admin")
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        make_suppression(api.workspace, callback.contact.phone)
        path = f"callbacks/{callback.pk}/call-now/"

        assert list(error_of(api.post(path, {"force": ["suppressed"], "reason": "x"}))["fields"]) == ["force.0"]
        forced = {"force": ["outside_window", "contact_limit", "campaign_paused"], "reason": "x"}
        assert conflict(api.post(path, forced))[0] == "contact_suppressed"


class TestNeedsAPerson:
    def unknown(self, api: Api) -> Call:
        member = make_campaign_contact(open_campaign(api.workspace), state="exhausted", end_reason="unknown")
        return make_call(campaign_contact=member, status="ended", outcome="unknown")

    def test_calls_of_unknown_fate_are_listed_until_somebody_deals_with_them(self) -> None:
        api = Api()
        call = self.unknown(api)
        make_call(make_contact(api.workspace), status="ended", outcome="busy")

        listed = api.get("calls/", needs_a_person="true").json()["results"]
        assert [row["id"] for row in listed] == [call.public_id]
        answer = api.post(f"calls/{call.public_id}/mark-reached/", {"reason": "Rang her"})

        assert answer.status_code == 200, answer.content
        assert answer.json()["handled_at"]
        assert api.get("calls/", needs_a_person="true").json()["results"] == []
        assert CampaignContact.objects.get().state == "reached"
        assert AuditEntry.objects.get(verb="mark_reached").reason == "Rang her"

    def test_to_call_back_answers_with_the_promise(self) -> None:
        api = Api()
        call = self.unknown(api)
        at = soon(hours=2)

        answer = api.post(f"calls/{call.public_id}/call-back/", {"scheduled_at": at.isoformat(), "notes": "Sorry"})

        assert answer.status_code == 201, answer.content
        row = answer.json()
        assert (row["type"], row["origin_call_id"], row["original_outcome"]) == ("manual", call.public_id, "unknown")
        assert row["scheduled_at"] == at.isoformat().replace("+00:00", "Z")

    def test_to_call_back_may_be_forced(self) -> None:
        api = Api(scope="admin")
        call = self.unknown(api)
        forced = {"scheduled_at": soon(hours=2).isoformat(), "force": ["outside_window"], "reason": "She waits"}

        assert api.post(f"calls/{call.public_id}/call-back/", forced).status_code == 201

        queued = Call.objects.get(status="queued")
        assert queued.force is not None
        assert queued.force["reason"] == "She waits"

    def test_what_needs_nobody_can_be_marked_so_and_is_a_conflict_afterwards(self) -> None:
        api = Api()
        call = self.unknown(api)

        assert api.post(f"calls/{call.public_id}/mark-handled/").status_code == 200
        for verb in ("mark-handled", "mark-reached", "call-back"):
            assert conflict(api.post(f"calls/{call.public_id}/{verb}/"))[1]["from"] == "handled"


class TestWasAPerson:
    def test_a_call_taken_for_a_machines_is_answered_and_its_retry_cancelled(self) -> None:
        api = Api()
        retry = make_callback(open_campaign(api.workspace), at=soon(hours=5), outcome="voicemail")
        Call.objects.filter(status="ended").update(outcome="voicemail")
        call = Call.objects.get(status="ended")

        answer = api.post(f"calls/{call.public_id}/was-a-person/", {"reason": "She told me"})

        assert answer.status_code == 200, answer.content
        assert answer.json()["outcome"] == "answered"
        retry.refresh_from_db()
        assert retry.status == "cancelled"
        assert conflict(api.post(f"calls/{call.public_id}/was-a-person/"))[1]["from"] == "answered"


class TestBulkByFilter:
    def test_what_the_filter_names_is_done_by_a_job_that_tells_how_far_it_is(self) -> None:
        api = Api()
        campaign, other = open_campaign(api.workspace), open_campaign(api.workspace)
        rows = [make_callback(campaign, at=soon(hours=5)) for _ in range(3)]
        make_callback(other, at=soon(hours=5))
        body = {"action": "cancel", "filter": {"campaign_id": campaign.public_id}, "reason": "storm"}

        asked = api.post("callbacks/bulk/", body)
        assert asked.status_code == 202, asked.content
        Callback.objects.filter(pk=rows[0].pk).update(status="dialing")
        run_bulk(str(BulkAction.objects.get().pk))
        job = api.get(f"callbacks/bulk/{asked.json()['id']}/").json()

        assert (asked.json()["status"], asked.json()["total"]) == ("running", 3)
        assert (job["status"], job["done"], job["filter"]) == ("done", 2, {"campaign_id": campaign.public_id})
        assert job["text"] == "2 cancelled, 1 already being dialled"
        assert job["refused"] == [{"code": "already_dialing", "text": "already being dialled", "count": 1}]
        assert job["refusals"] == [{"id": rows[0].pk, "code": "already_dialing"}]
        assert Callback.objects.get(campaign=other).status == "pending"

    def test_filters_are_those_of_the_list(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        late = make_callback(campaign, at=soon(minutes=-5), outcome="busy")
        make_callback(campaign, at=soon(hours=5), outcome="busy")
        make_callback(campaign, at=soon(minutes=-5), kind="customer_requested")
        chosen = {"queue": "overdue", "type": "auto_retry", "outcome": "busy", "persona_id": campaign.persona.public_id}

        api.post("callbacks/bulk/", {"action": "complete", "filter": chosen})
        run_bulk(str(BulkAction.objects.get().pk))

        assert list(Callback.objects.filter(status="completed")) == [late]

    def test_only_what_the_action_can_be_done_to_is_meant(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        make_callback(campaign, at=soon(hours=5))
        make_callback(campaign, at=soon(hours=5), status="done")

        asked = api.post("callbacks/bulk/", {"action": "cancel", "filter": {"campaign_id": campaign.public_id}})

        assert asked.json()["total"] == 1

    def test_a_dry_run_says_what_would_change_and_changes_nothing(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        make_callback(campaign, at=soon(hours=5))
        make_callback(campaign, at=soon(hours=5), kind="manual")
        ids = list(Callback.objects.values_list("pk", flat=True))

        at_once = api.post("callbacks/bulk/", {"action": "skip", "ids": ids, "dry_run": True}).json()
        asked = api.post("callbacks/bulk/", {"action": "skip", "filter": {"queue": "all_pending"}, "dry_run": True})
        run_bulk(str(BulkAction.objects.get().pk))
        job = api.get(f"callbacks/bulk/{asked.json()['id']}/").json()

        assert at_once["text"] == job["text"] == "1 would be skipped, 1 no retries, which alone can be skipped"
        assert set(Callback.objects.values_list("status", flat=True)) == {"pending"}
        assert not AuditEntry.objects.filter(verb="skip").exists()

    def test_persona_and_notes_are_changed_of_many_at_once(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        ids = [make_callback(campaign, at=soon(hours=5)).pk for _ in range(2)]
        maria = make_persona(api.workspace)

        answer = api.post("callbacks/bulk/", {"action": "edit", "ids": ids, "persona_id": maria.public_id}).json()

        assert answer["text"] == "2 edited"
        assert set(Call.objects.filter(status="queued").values_list("persona_id", flat=True)) == {maria.pk}

    def test_a_mistake_is_taken_back_in_bulk(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        ids = [make_callback(campaign, at=soon(hours=5)).pk for _ in range(2)]
        api.post("callbacks/bulk/", {"action": "cancel", "ids": ids})

        api.post("callbacks/bulk/", {"action": "undo", "filter": {"campaign_id": campaign.public_id}})
        run_bulk(str(BulkAction.objects.get().pk))

        assert set(Callback.objects.values_list("status", flat=True)) == {"pending"}

    def test_a_job_can_be_stopped(self) -> None:
        api = Api()
        make_callback(open_campaign(api.workspace), at=soon(hours=5))
        job = api.post("callbacks/bulk/", {"action": "cancel", "filter": {"queue": "all_pending"}}).json()

        assert api.post(f"callbacks/bulk/{job['id']}/stop/").json()["status"] == "stopped"
        run_bulk(str(BulkAction.objects.get().pk))
        assert Callback.objects.get().status == "pending"
        assert conflict(api.post(f"callbacks/bulk/{job['id']}/stop/"))[1]["from"] == "stopped"

    @pytest.mark.parametrize(
        ("fields", "paths"),
        [
            ({"filter": {}}, ["filter.queue"]),
            ({"filter": {"status": "done"}}, ["filter.status"]),
            ({"filter": {"queue": "yesterday"}}, ["filter.queue"]),
            ({"filter": {"queue": "overdue"}, "ids": [1]}, ["ids"]),
            ({}, ["ids"]),
            ({"ids": [1], "notes": "x"}, ["notes"]),
            ({"ids": [1], "action": "edit"}, ["notes"]),
            ({"ids": [1], "action": "reschedule"}, ["scheduled_at"]),
            ({"filter": {"queue": "overdue"}, "action": "undo"}, ["filter.queue"]),
            (
                {"filter": {"queue": "overdue"}, "action": "reschedule", "scheduled_at": "2020-01-01T00:00:00Z"},
                ["scheduled_at"],
            ),
        ],
    )
    def test_a_bad_value_is_refused_by_the_path_of_its_field(self, fields: dict[str, Any], paths: list[str]) -> None:
        answer = Api().post("callbacks/bulk/", {"action": "cancel", **fields})

        assert answer.status_code == 400, answer.content
        assert list(error_of(answer)["fields"]) == paths
        assert not BulkAction.objects.exists()

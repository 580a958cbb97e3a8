"""The callback queue over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callbacks.models import Callback
from dialer.models import Call
from dialer.workspaces.ids import public_id
from dialer.workspaces.models import AuditEntry
from tests.api.client import Answer, Api, error_of
from tests.api.queue_rows import live_call, make_callback, open_campaign, soon
from tests.factories import (
    make_campaign_contact,
    make_contact,
    make_line,
    make_persona,
    make_suppression,
    make_workspace,
)

pytestmark = pytest.mark.django_db


def ids(answer: Answer) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def conflict(answer: Answer) -> tuple[str, dict[str, Any]]:
    assert answer.status_code == 409, answer.content
    error = error_of(answer)
    return error["code"], error["details"]


class TestList:
    def test_queues_show_pending_callbacks_by_urgency_in_the_order_of_their_times(self) -> None:
        api = Api(make_workspace(time_zone="UTC"))
        campaign = open_campaign(api.workspace)
        late = make_callback(campaign, at=soon(minutes=-5))
        later = make_callback(campaign, at=soon(days=20))
        make_callback(campaign, at=soon(minutes=-9), status="cancelled")

        assert ids(api.get("callbacks/", queue="overdue")) == [late.pk]
        assert ids(api.get("callbacks/", queue="all_pending")) == [late.pk, later.pk]
        assert later.pk not in ids(api.get("callbacks/", queue="this_week"))
        assert later.pk not in ids(api.get("callbacks/", queue="due_today"))

    def test_without_a_queue_every_state_is_shown_the_newest_first(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        made = [make_callback(campaign, at=soon(hours=1), status=status).pk for status in ("cancelled", "pending")]

        assert ids(api.get("callbacks/")) == made[::-1]

    def test_filters_narrow_the_list(self) -> None:
        api = Api()
        first, second = open_campaign(api.workspace), open_campaign(api.workspace)
        retry = make_callback(first, at=soon(hours=1), outcome="busy")
        promise = make_callback(second, at=soon(hours=1), kind="customer_requested")

        assert ids(api.get("callbacks/", campaign_id=first.public_id)) == [retry.pk]
        assert ids(api.get("callbacks/", persona_id=second.persona.public_id)) == [promise.pk]
        assert ids(api.get("callbacks/", type="auto_retry")) == [retry.pk]
        assert ids(api.get("callbacks/", outcome="no_answer")) == [promise.pk]
        assert ids(api.get("callbacks/", contact_id=retry.contact.public_id)) == [retry.pk]
        assert ids(api.get("callbacks/", status="done")) == []

    @pytest.mark.parametrize(
        "query", [{"queue": "yesterday"}, {"type": "x"}, {"campaign": "nonsense"}, {"outcome": ""}, {"page": "2"}]
    )
    def test_a_filter_that_is_not_understood_is_named(self, query: dict[str, str]) -> None:
        assert list(error_of(Api().get("callbacks/", **query))["fields"]) == list(query)

    def test_a_row_tells_everything_that_an_operator_needs(self) -> None:
        api = Api(make_workspace(time_zone="America/New_York"))
        campaign = open_campaign(api.workspace, status="paused")
        at = soon(minutes=-5)
        callback = make_callback(campaign, at=at, notes="ask for Tom")

        row = api.get(f"callbacks/{callback.pk}/").json()

        assert row["contact"] == {
            "id": callback.contact.public_id,
            "name": callback.contact.name,
            "phone": callback.contact.phone,
        }
        assert row["campaign"]["name"] == campaign.name
        assert row["persona"]["name"] == campaign.persona.name
        assert row["retry"] == {"number": 1, "limit": 2, "text": "Retry 1 of 2"}
        assert row["original_outcome"] == "no_answer"
        assert row["notes"] == "ask for Tom"
        assert row["scheduled_at"] == at.isoformat().replace("+00:00", "Z")
        assert row["scheduled_at_contact"].endswith(("+01:00", "+02:00"))
        assert row["scheduled_at_workspace"].endswith(("-05:00", "-04:00"))
        assert row["is_overdue"] is True
        assert 300 <= row["seconds_late"] < 400
        assert row["waiting"]["code"] == "campaign_paused"
        assert row["call_id"] == callback.call.public_id

    def test_what_has_just_come_due_is_late_and_not_yet_overdue(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(seconds=-30))

        row = api.get(f"callbacks/{callback.pk}/").json()

        assert row["is_overdue"] is False
        assert 30 <= row["seconds_late"] < 60

    def test_a_list_costs_as_many_queries_with_one_row_as_with_ten(self) -> None:
        api = Api()
        api.get("callbacks/")  # the first request of a key writes when it was used
        campaign = open_campaign(api.workspace)
        counts = []
        for rows in (1, 9):
            for _ in range(rows):
                make_callback(campaign, at=soon(minutes=-5))
            with CaptureQueriesContext(connection) as queries:
                assert api.get("callbacks/", queue="overdue").status_code == 200
            counts.append(len(queries))

        assert counts[0] == counts[1] <= 8

    @pytest.mark.parametrize("pk", ["0", "9" * 18, "9" * 40, "-1", "٣", "abc"])
    def test_an_id_that_is_none_is_not_found(self, pk: str) -> None:
        assert Api().get(f"callbacks/{pk}/").status_code == 404


class TestMaking:
    def make(self, api: Api, **fields: Any) -> Answer:
        campaign = fields.pop("campaign", None) or open_campaign(api.workspace)
        contact = fields.pop("contact", None) or make_campaign_contact(campaign, state="exhausted").contact
        body = {"contact_id": contact.public_id, "campaign_id": campaign.public_id, **fields}
        if "local_time" not in body:
            body.setdefault("scheduled_at", soon(hours=2).isoformat())
        return api.post("callbacks/", body)

    def test_an_operators_promise_is_queued(self) -> None:
        api = Api()

        answer = self.make(api, notes="She asked by mail")

        assert answer.status_code == 201, answer.content
        callback = Callback.objects.select_related("call").get(pk=answer.json()["id"])
        assert (callback.type, callback.notes, callback.call.status) == ("manual", "She asked by mail", "queued")
        assert callback.call.due_at == callback.scheduled_at
        entry = AuditEntry.objects.get(verb="schedule")
        assert (entry.actor_kind, entry.actor_label) == ("key", "write key")

    def test_without_a_campaign_the_workspaces_line_and_only_persona_are_taken(self) -> None:
        api = Api(make_workspace(schedule={"calling_hours": {"start": "00:00", "end": "24:00"}}))
        make_line(api.workspace)
        make_persona(api.workspace)
        contact = make_contact(api.workspace)

        answer = api.post("callbacks/", {"contact_id": contact.public_id, "scheduled_at": soon(hours=1).isoformat()})

        assert answer.status_code == 201, answer.content
        assert answer.json()["campaign"] is None

    def test_a_local_time_is_on_the_contacts_clock(self) -> None:
        api = Api()
        local = (soon(days=2)).strftime("%Y-%m-%dT12:00")

        row = self.make(api, local_time=local).json()

        assert row["scheduled_at_contact"].startswith(local)
        assert row["local_time"] == local

    def test_a_time_outside_the_window_moves_and_the_answer_says_so(self) -> None:
        api = Api()
        hour = (soon() + timedelta(hours=6)).hour
        closed = {"calling_hours": {"start": f"{(hour + 5) % 22:02d}:00", "end": f"{(hour + 5) % 22 + 1:02d}:00"}}
        campaign = open_campaign(api.workspace, schedule=closed)

        row = self.make(api, campaign=campaign, scheduled_at=soon(hours=6).isoformat()).json()

        assert row["adjusted_reason"] == "outside_window"
        assert row["adjusted_from"] < row["scheduled_at"]

    def test_a_paused_campaign_holds_it_and_the_answer_says_so(self) -> None:
        api = Api()

        assert self.make(api, campaign=open_campaign(api.workspace, status="paused")).json()["held_by"] == (
            "campaign_paused"
        )

    def test_a_second_one_is_a_conflict_that_names_the_first_and_replaces_a_retry_if_asked(self) -> None:
        api = Api()
        retry = make_callback(open_campaign(api.workspace), at=soon(hours=1))
        named = {"campaign": retry.campaign, "contact": retry.contact}

        refused = self.make(api, **named)
        replaced = self.make(api, **named, replace=True)

        assert conflict(refused) == ("already_pending", {"callback_id": retry.pk})
        assert replaced.json()["superseded_id"] == retry.pk

    def test_a_suppressed_contact_is_a_conflict(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        contact = make_contact(api.workspace)
        make_suppression(api.workspace, contact.phone)

        assert conflict(self.make(api, campaign=campaign, contact=contact))[0] == "contact_suppressed"

    def test_a_campaign_that_is_over_is_a_conflict(self) -> None:
        api = Api()

        answer = self.make(api, campaign=open_campaign(api.workspace, status="cancelled"))

        assert conflict(answer)[0] == "campaign_over"

    def test_force_needs_an_admin_key_and_a_reason(self) -> None:
        workspace = make_workspace()
        forced = {"force": ["outside_window"], "reason": "The customer waits"}

        assert self.make(Api(workspace), **forced).status_code == 403
        assert self.make(Api(workspace, scope="admin"), force=["outside_window"]).status_code == 400
        assert self.make(Api(workspace, scope="admin"), **forced).status_code == 201

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_at"),
            ({"scheduled_at": "2190-01-01T00:00:00Z"}, "scheduled_at"),
            ({"local_time": "2020-01-01T00:00"}, "local_time"),
            ({"local_time": "2020-01-01T00:00", "scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_at"),
            ({"contact_id": "ct_01h455vb4pex5vsknk084sn02q"}, "contact_id"),
            ({"campaign_id": "camp_01h455vb4pex5vsknk084sn02q"}, "campaign_id"),
            ({"persona_id": "per_01h455vb4pex5vsknk084sn02q"}, "persona_id"),
            ({"type": "auto_retry"}, "type"),
            ({"notes": "x" * 2001}, "notes"),
            ({"force": ["suppression"], "reason": "no"}, "force.0"),
        ],
    )
    def test_a_bad_value_is_refused_by_the_path_of_its_field(self, fields: dict[str, Any], path: str) -> None:
        answer = self.make(Api(scope="admin"), **fields)

        assert answer.status_code == 400, answer.content
        assert list(error_of(answer)["fields"]) == [path]


class TestActions:
    def test_call_now_makes_it_due(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))

        answer = api.post(f"callbacks/{callback.pk}/call-now/", {"reason": "He rang"})

        assert answer.status_code == 200, answer.content
        assert Call.objects.get(pk=callback.call_id).rank == 0
        assert AuditEntry.objects.get(verb="call_now").reason == "He rang"

    def test_reschedule_moves_it(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        at = soon(hours=9)

        answer = api.post(f"callbacks/{callback.pk}/reschedule/", {"scheduled_at": at.isoformat()})

        assert answer.json()["scheduled_at"] == at.isoformat().replace("+00:00", "Z")
        assert Call.objects.get(pk=callback.call_id).due_at == at

    @pytest.mark.parametrize(
        ("verb", "status"), [("skip", "skipped"), ("cancel", "cancelled"), ("complete", "completed")]
    )
    def test_the_other_verbs_end_it(self, verb: str, status: str) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))

        answer = api.post(f"callbacks/{callback.pk}/{verb}/")

        assert answer.json()["status"] == status
        assert Call.objects.get(pk=callback.call_id).status == "withdrawn"

    @pytest.mark.parametrize("verb", ["call-now", "reschedule", "skip", "cancel", "complete"])
    def test_a_row_that_is_being_dialled_refuses_every_verb(self, verb: str) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(minutes=-1))
        Callback.objects.update(status="dialing")
        body = {"scheduled_at": soon(hours=1).isoformat()} if verb == "reschedule" else None

        code, details = conflict(api.post(f"callbacks/{callback.pk}/{verb}/", body))

        assert code == "conflict"
        assert details["from"] == "dialing"

    def test_a_promise_cannot_be_skipped(self) -> None:
        api = Api()
        promise = make_callback(open_campaign(api.workspace), at=soon(hours=5), kind="customer_requested")

        assert conflict(api.post(f"callbacks/{promise.pk}/skip/"))[0] == "not_a_retry"

    def test_call_now_in_a_paused_campaign_needs_force(self) -> None:
        workspace = make_workspace()
        callback = make_callback(open_campaign(workspace, status="paused"), at=soon(hours=5))
        path = f"callbacks/{callback.pk}/call-now/"
        forced = {"force": ["campaign_paused"], "reason": "She waits"}

        assert conflict(Api(workspace).post(path))[0] == "campaign_paused"
        assert Api(workspace).post(path, forced).status_code == 403
        assert Api(workspace, scope="admin").post(path, forced).status_code == 200

    def test_reschedule_outside_the_window_names_the_next_permitted_time(self) -> None:
        api = Api()
        hour = soon(hours=6).hour
        closed = {"calling_hours": {"start": f"{(hour + 5) % 22:02d}:00", "end": f"{(hour + 5) % 22 + 1:02d}:00"}}
        callback = make_callback(open_campaign(api.workspace, schedule=closed), at=soon(hours=5))

        answer = api.post(f"callbacks/{callback.pk}/reschedule/", {"scheduled_at": soon(hours=6).isoformat()})

        code, details = conflict(answer)
        assert code == "outside_window"
        assert details["next_permitted_at"] > soon(hours=6).isoformat()

    def test_a_repeated_reschedule_with_one_key_is_done_once(self) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))
        body = {"scheduled_at": soon(hours=9).isoformat()}

        for _ in range(2):
            answer = api.post(f"callbacks/{callback.pk}/reschedule/", body, idempotency_key="one")
            assert answer.status_code == 200

        assert AuditEntry.objects.filter(verb="reschedule").count() == 1


class TestBulk:
    def test_each_row_is_acted_on_by_itself_and_answered_for(self) -> None:
        api = Api()
        campaign = open_campaign(api.workspace)
        pending, dialing = (make_callback(campaign, at=soon(hours=5)) for _ in range(2))
        Callback.objects.filter(pk=dialing.pk).update(status="dialing")
        theirs = make_callback(open_campaign(make_workspace()), at=soon(hours=5))
        body = {"action": "cancel", "ids": [pending.pk, dialing.pk, theirs.pk, pending.pk], "reason": "Closed"}

        answer = api.post("callbacks/bulk/", body).json()

        assert (answer["done"], answer["refused"]) == (1, 2)
        by_id = {row["id"]: row for row in answer["results"]}
        assert by_id[pending.pk] == {"id": pending.pk, "is_done": True, "error": None}
        assert by_id[dialing.pk]["error"]["code"] == "conflict"
        assert by_id[theirs.pk]["error"]["code"] == "not_found"
        theirs.refresh_from_db()
        assert theirs.status == "pending"

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"action": "delete"}, "action"),
            ({"ids": []}, "ids"),
            ({"ids": [1, "2"]}, "ids.1"),
            ({"ids": [2**63]}, "ids.0"),
            ({"action": "reschedule"}, "scheduled_at"),
            ({"scheduled_at": "2025-01-01T00:00:00Z"}, "scheduled_at"),
            ({"force": ["outside_window"], "reason": "x"}, "force"),
            ({"action": "reschedule", "scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_at"),
        ],
    )
    def test_a_bad_value_is_refused_by_the_path_of_its_field(self, fields: dict[str, Any], path: str) -> None:
        api = Api()
        callback = make_callback(open_campaign(api.workspace), at=soon(hours=5))

        answer = api.post("callbacks/bulk/", {"action": "cancel", "ids": [callback.pk], **fields})

        assert answer.status_code == 400, answer.content
        assert list(error_of(answer)["fields"]) == [path]


class TestRequestCallback:
    def test_a_voice_agent_promises_the_callback_that_the_contact_asks_for(self) -> None:
        api = Api()
        call = live_call(open_campaign(api.workspace))
        body = {"scheduled_at": soon(hours=3).isoformat(), "notes": "prefers the afternoon"}

        answer = api.post(f"calls/{call.public_id}/request-callback/", body)

        assert answer.status_code == 201, answer.content
        row = answer.json()
        assert (row["type"], row["notes"]) == ("customer_requested", "prefers the afternoon")
        assert row["origin_call_id"] == call.public_id
        assert row["contact"]["id"] == call.contact.public_id

    def test_a_second_request_replaces_the_first_and_says_so(self) -> None:
        api = Api()
        path = f"calls/{live_call(open_campaign(api.workspace)).public_id}/request-callback/"

        first = api.post(path, {"scheduled_at": soon(hours=3).isoformat()}).json()
        second = api.post(path, {"scheduled_at": soon(hours=4).isoformat()}).json()

        assert second["superseded_id"] == first["id"]

    def test_a_time_must_be_named_and_may_be_local(self) -> None:
        api = Api()
        path = f"calls/{live_call(open_campaign(api.workspace)).public_id}/request-callback/"

        assert api.post(path, {"notes": "some time"}).status_code == 400
        assert api.post(path, {"local_time": soon(days=3).strftime("%Y-%m-%dT12:30")}).status_code == 201


@pytest.mark.parametrize(
    "path_of",
    [
        lambda callback: f"callbacks/{callback.pk}/",
        *(
            lambda callback, verb=verb: f"callbacks/{callback.pk}/{verb}/"
            for verb in ("call-now", "skip", "cancel", "complete", "reschedule")
        ),
        lambda callback: f"calls/{callback.call.public_id}/request-callback/",
        lambda callback: f"calls/{public_id('call', callback.contact_id)}/request-callback/",
    ],
)
def test_another_workspaces_rows_are_not_found(path_of: Callable[[Callback], str]) -> None:
    theirs = make_callback(open_campaign(make_workspace()), at=soon(hours=5))
    path = path_of(theirs)
    needs_time = path.endswith(("reschedule/", "request-callback/"))
    body = {"scheduled_at": soon(hours=3).isoformat()} if needs_time else None

    answer = Api(scope="admin").send("POST" if path.count("/") > 2 else "GET", path, body)

    assert answer.status_code == 404, answer.content
    assert error_of(answer)["code"] == "not_found"

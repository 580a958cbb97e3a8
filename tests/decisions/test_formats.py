"""What receivers get of calls, in each of the three formats: from the call to the bytes on a real socket."""

import hmac
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dialer.carriers.base import Report
from dialer.dialing import carrier_reports
from dialer.workspaces.ids import parse_public_id
from tests.reference.test_callback_queue import RETRIED
from tests.webhooks.receivers import Received, Receiver, Receivers, receivers
from tests.webhooks.sending import make_sender, nothing_pending, run_until
from tests.world import (
    ALWAYS_OPEN,
    ANSWERS,
    ASKS_FOR_CALLBACK,
    ASKS_FOR_DNC,
    BUSY,
    INVALID,
    MACHINE,
    RINGS_OUT,
    World,
    a_number,
    instant,
    world,
)
from webhooks import batches
from webhooks.models import BatchItem, Delivery, Endpoint

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

SECRET = "a secret of the receiver"  # noqa: S105
ONCE_MORE = {**ALWAYS_OPEN, "callback_retry_schedule": [1]}
Deliver = Callable[[], None]


@pytest.fixture
def servers(settings: Any) -> Iterator[Receivers]:
    settings.WEBHOOK_ALLOWED_NETWORKS = ("127.0.0.0/8",)
    with receivers() as running:
        yield running


@pytest.fixture
def deliver(world: World) -> Iterator[Deliver]:
    """Let everything reach its receivers that is due by the world's clock; the CRM's endpoint leads nowhere."""
    sender = make_sender(lambda: world.now)

    def go() -> None:
        Endpoint.objects.filter(url__startswith="https://9.9.9.9").update(paused_at=world.now)
        while batches.freeze_due(now=world.now):
            pass
        due = Delivery.objects.filter(status="pending", due_at__lte=world.now, endpoint__paused_at=None)
        run_until(sender, lambda: not due.exists())

    yield go
    sender.close()


def got(receiver: Receiver) -> list[Any]:
    return [json.loads(request.body) for request in receiver.requests]


def is_signed(request: Received) -> bool:
    """Verify as the published example does."""
    signed = request.headers["x-kejue-timestamp"].encode() + b"." + request.body
    expected = hmac.new(SECRET.encode(), signed, "sha256").hexdigest()
    return hmac.compare_digest(f"sha256={expected}", request.headers["x-kejue-signature"])


def heard_by_subscriptions() -> list[str]:
    rows = Delivery.objects.filter(endpoint__purpose="subscription", event__isnull=False).order_by("event_id")
    return [row.event_type for row in rows.select_related("event")]


def a_call(world: World, does: str, *webhooks: dict[str, Any], **settings: Any) -> Any:
    body = {"contact": {"name": "Jane Roe", "phone": a_number(does)}, "call": settings}
    return world.say("calls/", {**body, "config": {"webhooks": list(webhooks)}})


class TestInline:
    def test_what_a_call_brings_replaces_every_subscription_for_its_chain(
        self, world: World, servers: Receivers, deliver: Deliver
    ) -> None:
        receiver = servers.answering()
        hook = {"url": receiver.url(), "events": ["call.ended"], "secret": SECRET}
        a_call(world, RINGS_OUT, hook, **ONCE_MORE)

        world.run_for(minutes=5)
        deliver()

        told = [(body["event"], body["data"]["retry"]["attempt_number"]) for body in got(receiver)]
        assert told == [("call.ended", 1), ("call.ended", 2)]
        assert all(is_signed(request) for request in receiver.requests)
        assert set(heard_by_subscriptions()) == {"callback.scheduled"}

    def test_suppressions_still_reach_subscriptions(self, world: World) -> None:
        a_call(world, ASKS_FOR_DNC, {"url": "https://8.8.8.8/", "events": ["*"], "secret": SECRET}, **ALWAYS_OPEN)

        world.run_for(minutes=5)

        inline = Delivery.objects.filter(endpoint__purpose="inline").select_related("event")
        assert heard_by_subscriptions() == ["contact.suppressed"]
        assert "contact.suppressed" not in {row.event_type for row in inline}
        assert {"call.started", "call.ended", "call.attempted", "call.exhausted"} <= {row.event_type for row in inline}

    def test_what_a_campaign_brings_replaces_for_its_calls_and_hears_of_the_campaign_beside_subscriptions(
        self, world: World, servers: Receivers, deliver: Deliver
    ) -> None:
        receiver = servers.answering()
        hook = {"url": receiver.url(), "events": ["call.attempted", "campaign.ended"], "signing_method": "none"}
        world.campaign(a_number(ANSWERS), config={"webhooks": [hook]})

        world.run_for(minutes=20)
        world.sweep()
        deliver()

        assert [body["event"] for body in got(receiver)] == ["call.attempted", "campaign.ended"]
        assert heard_by_subscriptions() == ["campaign.started", "campaign.ended"]

    def test_what_was_given_with_a_chain_never_changes(self, world: World) -> None:
        hook = {"url": "https://8.8.8.8/first", "events": ["call.ended"], "secret": SECRET}
        campaign = world.campaign(a_number(RINGS_OUT), config={"webhooks": [hook]}, schedule=RETRIED)
        world.run_for(minutes=5)

        changed = {"webhooks": [{**hook, "url": "https://8.8.8.8/second"}]}
        assert world.api.patch(f"campaigns/{campaign['id']}/", {"config": changed}).status_code == 200
        world.say(f"campaigns/{campaign['id']}/contacts/", {"contacts": [{"phone": a_number(BUSY)}]})
        world.run_for(minutes=90)

        ended = Delivery.objects.filter(event__type="call.ended", endpoint__purpose="inline")
        rows = ended.order_by("event_id").values_list("event__chain_id", "endpoint__url")
        assert [url.rsplit("/")[-1] for _, url in rows] == ["first", "second", "first", "second"]
        assert len(set(rows)) == 2

    def test_several_webhooks_of_one_format_each_get_arrays_too(
        self, world: World, servers: Receivers, deliver: Deliver
    ) -> None:
        receiver = servers.answering()
        hook = {"url": receiver.url(), "profile": "batch", "events": ["CallAttempted"], "signing_method": "none"}
        a_call(world, INVALID, {**hook, "batchSize": 1}, **ALWAYS_OPEN)

        world.run_for(minutes=1)
        deliver()

        (array,) = got(receiver)
        assert [(item["status"], item["note"]) for item in array] == [("failed", "invalid phone")]


class TestStatusUrls:
    def test_each_url_hears_its_own_and_nothing_else(self, world: World, servers: Receivers, deliver: Deliver) -> None:
        call, number, whole = (servers.answering() for _ in range(3))
        rings_out, answers = a_number(RINGS_OUT), a_number(ANSWERS)
        campaign = world.campaign(
            rings_out,
            answers,
            schedule={"callback_retry_schedule": [1], "time_zone": "Asia/Kolkata"},
            call_status_callback=call.url(),
            call_schedule_callback=number.url(),
            status_callback=whole.url(),
            status_callback_secret=SECRET,
            config={"webhooks": []},
        )

        world.run_for(minutes=20)
        world.sweep()
        deliver()

        calls = {made["id"]: made["number"] for made in world.calls()}
        assert {body["call_sid"]: body["number"] for body in got(call)} == calls
        assert sorted(body["status"] for body in got(call)) == ["completed", "no-answer", "no-answer"]
        first = got(call)[0]
        assert list(first) == ["campaign_sid", "call_sid", "date_created", "date_updated", "number", "status"]
        assert first["date_created"].endswith("+05:30")
        by_number = {body["to"]: body for body in got(number)}
        assert by_number[rings_out]["call_sids"] == [sid for sid, to in calls.items() if to == rings_out]
        assert len(by_number[rings_out]["call_sids"]) == 2
        assert (by_number[rings_out]["status"], by_number[answers]["status"]) == ("no-answer", "completed")
        assert {body["from"] for body in got(number)} == {"+493012345678"}
        (end,) = got(whole)
        assert (end["campaign_sid"], end["status"]) == (campaign["id"], "Completed")
        assert instant(end["date_updated"]) <= world.now
        assert campaign["id"] in end["report_url"]
        assert all(is_signed(request) for request in [*call.requests, *number.requests, *whole.requests])

    def test_they_are_frozen_when_the_campaign_starts(self, world: World) -> None:
        campaign = world.campaign(status_callback="https://8.8.8.8/draft")
        path = f"campaigns/{campaign['id']}/"
        world.say(f"{path}contacts/", {"contacts": [{"phone": a_number(ANSWERS)}]})

        in_time = world.api.patch(path, {"status_callback": "https://8.8.8.8/started"})
        world.say(f"{path}start/")
        too_late = world.api.patch(path, {"status_callback": "https://8.8.8.8/late", "status_callback_secret": "x"})
        the_same = world.api.patch(path, {"status_callback": "https://8.8.8.8/started", "priority": 5})

        assert (in_time.status_code, too_late.status_code, the_same.status_code) == (200, 400, 200)
        assert set(too_late.json()["error"]["fields"]) == {"status_callback", "status_callback_secret"}
        hidden = Endpoint.objects.get(purpose="status")
        assert (hidden.url, hidden.events, hidden.signing_method) == (
            "https://8.8.8.8/started",
            ["campaign.ended"],
            "none",
        )
        assert world.ask("webhooks/")["results"][0]["name"] == "CRM"
        assert len(world.ask("webhooks/")["results"]) == 1

    @pytest.mark.parametrize(
        ("field", "url"),
        [
            ("call_status_callback", "http://10.0.0.1/"),
            ("call_schedule_callback", "ftp://8.8.8.8/"),
            ("status_callback", "http://user:pass@8.8.8.8/"),
        ],
    )
    def test_a_url_that_must_not_be_told_is_refused_by_name(self, world: World, field: str, url: str) -> None:
        body = {"name": "Outreach", "persona_id": world.persona.public_id, field: url}

        refused = world.api.post("campaigns/", body)

        assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, [field])

    def test_a_number_never_dialled_sends_no_call_schedule_callback(self, world: World) -> None:
        campaign = world.campaign(
            a_number(ANSWERS),
            schedule={"start_at": (world.now + timedelta(hours=1)).isoformat()},
            call_schedule_callback="https://8.8.8.8/number",
            status_callback="https://8.8.8.8/campaign",
        )

        world.say(f"campaigns/{campaign['id']}/cancel/")
        world.run_for(minutes=5)

        told = [row.event_type for row in Delivery.objects.filter(endpoint__purpose="status").select_related("event")]
        assert told == ["campaign.ended"]
        end = json.loads(Delivery.objects.get(endpoint__purpose="status").sent_body)
        assert end["status"] == "Canceled"


class TestArrays:
    @pytest.fixture(autouse=True)
    def _arrays(self, world: World, servers: Receivers) -> None:
        self.receiver = servers.answering()
        body = {"name": "Arrays", "url": self.receiver.url(), "profile": "batch", "events": ["*"]}
        world.say("webhooks/", {**body, "signing_method": "none"})

    def items(self, type_: str) -> list[Any]:
        """Return all items of a type that arrived, each request being of one type."""
        requests = [request for request in self.receiver.requests if request.headers["x-kejue-event"] == type_]
        return [item for request in requests for item in json.loads(request.body)]

    def test_a_contact_who_is_not_reached_has_one_result_when_the_attempts_are_exhausted(
        self, world: World, deliver: Deliver
    ) -> None:
        phone = a_number(RINGS_OUT)
        campaign = world.campaign(phone, schedule={"callback_retry_schedule": [1, 1]})

        world.run_for(minutes=20)
        deliver()

        (result,) = self.items("CallComplete")
        last = world.calls()[-1]
        data = result["data"]
        assert (data["status"], data["additionalInformation"]) == ("Not Complete", "No answer")
        assert data["phone"] == phone.removeprefix("+")
        assert world.ask(f"calls/{data['sessionId']}/")["id"] == last["id"]
        assert world.ask("calls/", chain_id=data["callResultId"])["results"][0]["id"] == last["id"]
        assert world.ask(f"campaigns/{data['campaignId']}/")["id"] == campaign["id"]
        assert UUID(data["sessionId"]) == parse_public_id("call", last["id"])
        assert UUID(data["callResultId"]) == parse_public_id("chn", last["chain_id"])
        assert UUID(data["campaignId"]) == parse_public_id("camp", campaign["id"])
        assert (data["flow"], data["requests"], data["lastStepName"]) == ([], [], None)
        assert "correlationId" not in data
        assert [item["status"] for item in self.items("CallAttempted")] == ["success"] * 3

    def test_an_answered_call_waits_for_its_analysis(self, world: World, deliver: Deliver) -> None:
        world.campaign(a_number(ANSWERS))
        world.run_for(minutes=5)
        deliver()
        before = self.items("CallComplete")
        flow = [{"questionName": "Question 1?", "response": "Other", "transcript": "Anything."}]

        self._analyze(world, {"flow": flow, "flow_completed": False, "requests": ["humanSupportRequest"]})
        world.run_for(seconds=5)
        deliver()

        (result,) = self.items("CallComplete")
        assert before == []
        assert (result["data"]["status"], result["data"]["flow"]) == ("Partial", flow)
        assert result["data"]["requests"] == ["humanSupportRequest"]
        assert result["data"]["lastStepName"] == "Question 1?"

    def test_it_waits_for_ten_minutes_at_most(self, world: World, deliver: Deliver) -> None:
        world.campaign(a_number(ANSWERS))
        world.run_for(minutes=5)
        ended = instant(world.calls()[0]["ended_at"])

        world.run_until(ended + timedelta(minutes=10, seconds=4))
        deliver()
        before = self.items("CallComplete")
        world.run_for(seconds=1)
        deliver()
        self._analyze(world, {"flow_completed": True})
        world.run_for(minutes=1)
        deliver()

        (result,) = self.items("CallComplete")
        assert before == []
        assert instant(result["createdAt"]) == ended + timedelta(minutes=10)
        assert (result["data"]["status"], result["data"]["additionalInformation"]) == ("Complete", "No further action")

    def test_a_second_analysis_sends_call_analyzed_again_and_no_second_result(
        self, world: World, deliver: Deliver
    ) -> None:
        world.campaign(a_number(ANSWERS))
        world.run_for(minutes=5)

        self._analyze(world, {"flow_completed": True, "summary": "First"})
        world.run_for(minutes=1)
        self._analyze(world, {"flow_completed": False, "summary": "Second", "replace": True})
        world.run_for(minutes=20)
        deliver()

        assert len(self.items("CallComplete")) == 1
        analyzed = world.webhooks("call.analyzed")
        assert [body["data"].get("replaced", False) for body in analyzed] == [False, True]

    def test_who_answered_and_asked_for_a_callback_has_a_result_after_the_promise(
        self, world: World, deliver: Deliver
    ) -> None:
        phone = a_number(ASKS_FOR_CALLBACK)
        world.asked_for = {"scheduled_at": (world.now + timedelta(hours=2)).isoformat()}
        world.campaign(phone, schedule={"auto_callback": False})
        world.run_for(minutes=30)
        self._analyze(world, {"flow_completed": True})
        deliver()
        before = self.items("CallComplete")
        world.does[phone] = BUSY

        world.run_for(hours=2)
        deliver()

        (result,) = self.items("CallComplete")
        assert before == []
        assert result["data"]["status"] == "Complete"
        assert UUID(result["data"]["sessionId"]) == parse_public_id("call", world.calls()[0]["id"])

    def test_a_callback_that_connects_is_received_as_an_outbound_callback(self, world: World, deliver: Deliver) -> None:
        phone = a_number(MACHINE)
        world.campaign(phone, schedule={"callback_retry_schedule": [1]})
        world.run_until(world.now + timedelta(seconds=50))
        world.does[phone] = ANSWERS

        world.run_for(minutes=10)
        deliver()

        received = self.items("CallReceived")
        assert [item["type"] for item in received] == ["outbound-callback"]
        (event,) = world.webhooks("call.received")
        assert event["data"]["type"] == "outbound-callback"

    def test_every_call_that_comes_in_is_received_and_has_a_result(self, world: World, deliver: Deliver) -> None:
        phone = a_number(ANSWERS)
        world.say("contacts/", {"name": "Jane Roe", "phone": phone, "external_id": "crm-7"})
        facts: dict[str, Any] = {
            "call_id": None,
            "direction": "inbound",
            "from_number": phone,
            "to_number": world.line.caller_ids[0],
            "occurred_at": world.now,
        }
        for call in ("in-1", "in-2"):
            ringing = Report(kind="ringing", event_id=f"{call}-r", carrier_call_id=call, **facts)
            missed = Report(kind="ended", event_id=f"{call}-e", carrier_call_id=call, outcome="no_answer", **facts)
            carrier_reports.store("simulated", [ringing, missed])
            carrier_reports.apply_stored(limit=10, now=world.now)

        world.run_for(seconds=5)
        deliver()

        digits = phone.removeprefix("+")
        received = [(item["type"], item["phone"], item["correlationId"]) for item in self.items("CallReceived")]
        assert received == [("inbound", digits, "crm-7")] * 2
        results = [item["data"] for item in self.items("CallComplete")]
        assert [data["additionalInformation"] for data in results] == ["No answer"] * 2
        assert len({data["sessionId"] for data in results}) == 2
        assert self.items("CallAttempted") == []

    def test_with_questions_to_ask_only_the_analysis_makes_a_talk_complete(
        self, world: World, deliver: Deliver
    ) -> None:
        assert world.api.patch(f"personas/{world.persona.public_id}/", {"has_flow": True}).status_code == 200
        world.campaign(a_number(ANSWERS))

        world.run_for(minutes=30)
        deliver()

        (result,) = self.items("CallComplete")
        assert result["data"]["status"] == "Not Complete"

    def test_a_call_that_was_never_dialled_has_no_result(self, world: World) -> None:
        made = world.call(ANSWERS, calling_hours={"sun": [{"start": "03:00", "end": "03:01"}]})

        world.say(f"calls/{made['id']}/cancel/")

        assert [body["event"] for body in world.webhooks()] == ["call.ended", "call.exhausted"]
        assert not BatchItem.objects.exists()

    def _analyze(self, world: World, analysis: dict[str, Any]) -> None:
        world.say(f"calls/{world.calls()[0]['id']}/analysis/", analysis)


def test_every_delivery_is_listed_over_the_workspace_whoever_it_was_for(world: World) -> None:
    world.campaign(
        a_number(INVALID),
        call_status_callback="https://8.8.8.8/status",
        config={"webhooks": [{"url": "https://8.8.8.8/inline", "events": ["call.ended"], "secret": SECRET}]},
    )

    world.run_for(minutes=5)

    listed = world.ask("webhooks/deliveries/", limit=100)["results"]
    purposes = dict(Endpoint.objects.values_list("id", "purpose"))
    told = {(purposes[parse_public_id("wh", row["webhook_id"])], row["event"]) for row in listed}
    assert ("status", "call.attempted") in told
    assert ("inline", "call.ended") in told
    assert ("subscription", "campaign.started") in told
    assert not nothing_pending()

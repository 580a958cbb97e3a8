"""Webhooks over HTTP, as a client's program sees them."""

import base64
from typing import Any
from uuid import uuid4

import pytest

from dialer.workspaces.encryption import decrypt
from dialer.workspaces.ids import public_id
from dialer.workspaces.models import AuditEntry, IdempotentRequest
from tests.api.client import Api, error_of
from tests.factories import make_campaign, make_persona
from tests.webhooks.name_server import start_name_server
from tests.webhooks.receivers import Receivers
from tests.webhooks.rows import NOW, SECRET, event_of, make_delivery, make_endpoint, new_event, record
from webhooks import batches
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.outbox import NewItem
from webhooks.rules.custom_headers import MASK
from webhooks.rules.statuses import BatchType

pytestmark = pytest.mark.django_db

NEW = {"name": "CRM", "url": "https://9.9.9.9/hook", "events": ["call.ended"]}


@pytest.fixture
def api() -> Api:
    return Api(scope="admin")


def fields_at_fault(answer: Any) -> set[str]:
    assert answer.status_code == 400, answer.content
    return set(error_of(answer)["fields"])


def test_a_new_endpoint_is_shown_with_its_secret_once(api: Api) -> None:
    made = api.post("webhooks/", NEW)

    assert made.status_code == 201
    body = made.json()
    endpoint = Endpoint.objects.get()
    assert body["id"] == endpoint.public_id
    assert body["secret"] == body["standard_secret"] == endpoint.secret
    assert body["stats"] == {"total_deliveries": 0, "failed_deliveries": 0, "success_rate": None}
    again = api.get(f"webhooks/{endpoint.public_id}/")
    assert again.status_code == 200
    assert endpoint.secret not in again.content.decode()
    assert endpoint.secret not in api.get("webhooks/").content.decode()
    assert {**body, "secret": None, "standard_secret": None} == {
        **again.json(),
        "secret": None,
        "standard_secret": None,
    }
    entry = AuditEntry.objects.get(object_type="endpoint")
    assert (entry.verb, entry.actor_kind, entry.actor_id) == ("create", "key", api.key.public_id)


def test_a_secret_that_is_given_is_shown_in_the_form_of_standard_libraries_too(api: Api) -> None:
    body = api.post("webhooks/", {**NEW, "secret": SECRET}).json()

    assert body["secret"] == SECRET
    assert base64.b64decode(body["standard_secret"].removeprefix("whsec_")) == SECRET.encode()


def test_a_creation_that_is_sent_again_makes_one_endpoint_and_shows_the_same_secret(api: Api) -> None:
    first, second = (api.post("webhooks/", NEW, idempotency_key="a") for _ in range(2))

    assert first.json() == second.json()
    assert Endpoint.objects.count() == 1


def test_the_spellings_of_the_reference_are_taken(api: Api) -> None:
    persona = make_persona(api.workspace).public_id
    answer = api.post("webhooks/", {**NEW, "timeout_ms": 2500, "persona_id": persona})
    globally = api.post("webhooks/", {**NEW, "scope_type": "global"})

    assert answer.status_code == 201
    assert (answer.json()["timeout_seconds"], answer.json()["scope_type"]) == (2.5, "persona")
    assert answer.json()["scope_id"] == persona
    assert globally.json()["scope_type"] == "workspace"


def test_an_endpoint_for_arrays_is_described_in_either_spelling(api: Api) -> None:
    arrays = {**NEW, "profile": "batch", "events": ["CallComplete", "message.sent"]}

    theirs = api.post("webhooks/", {**arrays, "batchSize": 20}).json()
    ours = api.post("webhooks/", {**arrays, "batch_size": 20, "batch_wait_seconds": 0.5}).json()
    both = api.post("webhooks/", {**arrays, "batchSize": 20, "batch_size": 20})
    unknown = api.post("webhooks/", {**arrays, "events": ["call.started"]})

    assert (theirs["profile"], theirs["batch_size"], theirs["batch_wait_seconds"]) == ("batch", 20, 5)
    assert theirs["events"] == ["CallComplete", "SMSSent"]
    assert (ours["batch_size"], ours["batch_wait_seconds"]) == (20, 0.5)
    assert (both.status_code, list(both.json()["error"]["fields"])) == (400, ["batchSize"])
    assert (unknown.status_code, list(unknown.json()["error"]["fields"])) == (400, ["events"])


@pytest.mark.parametrize(
    ("body", "at_fault"),
    [
        ({}, {"name", "url", "events"}),
        ({**NEW, "colour": "red"}, {"colour"}),
        ({**NEW, "url": "http://127.0.0.2.nope:0/"}, {"url"}),
        ({**NEW, "url": "http://[::ffff:10.0.0.1]/"}, {"url"}),
        ({**NEW, "events": ["call.begun"]}, {"events"}),
        ({**NEW, "timeout_ms": 2500, "timeout_seconds": 2.5}, {"timeout_ms"}),
        ({**NEW, "timeout_seconds": 31}, {"timeout_seconds"}),
        ({**NEW, "timeout_seconds": "5"}, {"timeout_seconds"}),
        ({**NEW, "scope_type": "campaign", "scope_id": "per_1"}, {"scope_id"}),
        ({**NEW, "scope_type": "campaign"}, {"scope_id"}),
        ({**NEW, "scope_type": "campaign", "persona_id": public_id("per", uuid4())}, {"persona_id"}),
        ({**NEW, "persona_id": public_id("per", uuid4()), "campaign_id": public_id("camp", uuid4())}, {"campaign_id"}),
        ({**NEW, "retry_on": [420]}, {"retry_on"}),
        ({**NEW, "custom_headers": {"X-Kejue-Event": "x"}}, {"custom_headers"}),
        ({**NEW, "signing_method": "basic_auth", "secret": "no colon"}, {"secret"}),
    ],
)
def test_what_is_wrong_is_named(api: Api, body: dict[str, Any], at_fault: set[str]) -> None:
    named = {path.partition(".")[0] for path in fields_at_fault(api.post("webhooks/", body))}

    assert named == at_fault
    assert not Endpoint.objects.exists()


def test_a_name_must_not_lead_inside_not_even_by_one_of_its_addresses(
    api: Api, servers: Receivers, settings: Any
) -> None:
    names = {"mixed.example": ["9.9.9.9", "10.0.0.7"], "public.example": ["9.9.9.9"]}
    settings.WEBHOOK_DNS_SERVERS = [servers.call(start_name_server(names)).address]

    mixed = api.post("webhooks/", {**NEW, "url": "https://mixed.example/hook"})
    public = api.post("webhooks/", {**NEW, "url": "https://public.example/hook"})
    moved = api.patch(f"webhooks/{public.json()['id']}/", {"url": "https://mixed.example/"})
    unknown = api.post("webhooks/", {**NEW, "url": "https://not-there-yet.example/hook"})

    assert (mixed.status_code, public.status_code, moved.status_code, unknown.status_code) == (400, 201, 400, 201)
    assert "10.0.0.7 is private" in error_of(mixed)["fields"]["url"][0]


def test_a_change_touches_what_is_given_only(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)

    answer = api.patch(f"webhooks/{endpoint.public_id}/", {"max_retries": 5})

    assert answer.status_code == 200
    assert answer.json()["max_retries"] == 5
    assert answer.json()["secret"] is None
    endpoint.refresh_from_db()
    assert (endpoint.max_retries, endpoint.secret, endpoint.name) == (5, SECRET, "CRM")


def test_an_endpoint_is_switched_off_and_on_by_a_change(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)
    path = f"webhooks/{endpoint.public_id}/"

    assert api.patch(path, {"is_active": False}).json()["is_active"] is False
    assert api.patch(path, {"is_active": False}).status_code == 200
    off = api.get("webhooks/", is_active="false").json()["results"]
    refused = api.post(f"{path}test/")
    assert api.patch(path, {"is_active": True}).json()["is_active"] is True

    assert [row["id"] for row in off] == [endpoint.public_id]
    assert refused.status_code == 409
    assert error_of(refused)["code"] == "endpoint_inactive"
    assert list(AuditEntry.objects.filter(object_type="endpoint").values_list("verb", flat=True)) == [
        "deactivate",
        "activate",
    ]


def test_an_endpoint_may_be_made_switched_off(api: Api) -> None:
    body = api.post("webhooks/", {**NEW, "is_active": False}).json()

    assert body["is_active"] is False
    assert body["secret"]


def test_a_test_answers_with_its_delivery(api: Api) -> None:
    endpoint = make_endpoint(api.workspace, events=["call.started"])

    answer = api.post(f"webhooks/{endpoint.public_id}/test/")

    assert answer.status_code == 202
    body = answer.json()
    assert (body["event"], body["status"], body["webhook_id"]) == ("webhook.test", "pending", endpoint.public_id)
    assert Delivery.objects.get().public_id == body["id"]


def test_an_endpoint_is_paused_and_resumed(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)
    path = f"webhooks/{endpoint.public_id}/"

    paused = api.post(f"{path}pause/")
    again = api.post(f"{path}pause/")
    resumed = api.post(f"{path}resume/")

    assert paused.json()["paused_at"] is not None
    assert again.status_code == 409
    assert resumed.json()["paused_at"] is None


def test_an_endpoint_shows_that_it_is_probed(api: Api) -> None:
    endpoint = make_endpoint(api.workspace, trips=1, open_until=NOW, failing_since=NOW, failure_run=10)

    shown = api.get(f"webhooks/{endpoint.public_id}/").json()

    assert (shown["failures_in_a_row"], shown["next_probe_at"]) == (10, "2025-01-15T10:30:00Z")


def test_whether_an_endpoint_recovers_by_itself_is_a_choice(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)
    path = f"webhooks/{endpoint.public_id}/"

    assert api.get(path).json()["auto_recover"] is True
    assert api.patch(path, {"auto_recover": False}).json()["auto_recover"] is False
    assert api.patch(path, {"auto_recover": "no"}).status_code == 400


def test_a_secret_is_rotated_and_promoted(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)
    path = f"webhooks/{endpoint.public_id}/"

    too_early = api.post(f"{path}promote-secret/")
    rotated = api.post(f"{path}rotate-secret/")
    promoted = api.post(f"{path}promote-secret/")

    assert error_of(too_early)["code"] == "nothing_to_promote"
    assert rotated.json()["secret"].startswith("whsec_")
    assert rotated.json()["rotated_at"] is not None
    assert promoted.json()["rotated_at"] is None
    endpoint.refresh_from_db()
    assert endpoint.secret == rotated.json()["secret"]


def test_an_endpoint_that_signs_nothing_has_nothing_to_rotate(api: Api) -> None:
    endpoint = make_endpoint(api.workspace, signing_method="none", secret=None)

    answer = api.post(f"webhooks/{endpoint.public_id}/rotate-secret/")

    assert answer.status_code == 409
    assert error_of(answer)["code"] == "nothing_to_sign"


def test_a_deleted_endpoint_is_gone_and_its_deliveries_are_not(api: Api) -> None:
    delivery = make_delivery(make_endpoint(api.workspace))
    path = f"webhooks/{delivery.endpoint.public_id}/"

    assert api.delete(path).status_code == 204

    assert api.get(path).status_code == 404
    assert api.get("webhooks/").json()["results"] == []
    assert [row["id"] for row in api.get(f"{path}deliveries/").json()["results"]] == [delivery.public_id]


def test_a_delivery_is_shown_with_its_payload_and_attempts(api: Api) -> None:
    delivery = make_delivery(make_endpoint(api.workspace), data={"name": "Zoë"})
    for number in (1, 2):
        DeliveryAttempt.objects.create(
            delivery=delivery,
            number=number,
            started_at=NOW,
            url="http://127.0.0.1:9/hook",
            status_code=503,
            error="http_503",
            total_ms=12.5,
            answer=b"\x00\xffnot now",
        )

    body = api.get(f"webhooks/deliveries/{delivery.public_id}/").json()

    assert body["payload"]["data"] == {"name": "Zoë"}
    assert body["payload"]["event_id"] == body["event_id"]
    assert [attempt["number"] for attempt in body["attempts_made"]] == [2, 1]
    assert body["attempts_made"][0]["answer"] == "\x00\ufffdnot now"


def test_deliveries_are_listed_and_filtered(api: Api) -> None:
    call = uuid4()
    endpoint = make_endpoint(api.workspace)
    wanted = make_delivery(endpoint, call_id=call)
    make_delivery(endpoint, type="call.started")
    other = make_endpoint(api.workspace, events=["campaign.ended"])
    elsewhere = make_delivery(other, type="campaign.ended")
    Delivery.objects.filter(pk=wanted.pk).update(status="failed", settled_at=NOW)

    def found(path: str = "webhooks/deliveries/", **query: str) -> set[str]:
        answer = api.get(path, **query)
        assert answer.status_code == 200, answer.content
        return {row["id"] for row in answer.json()["results"]}

    assert len(found()) == 4
    for query in (
        {"status": "failed"},
        {"call_id": public_id("call", call)},
        {"event_id": event_of(wanted).public_id},
        {"event": "call.ended"},
    ):
        assert found(**query) == {wanted.public_id}
        assert found(f"webhooks/{endpoint.public_id}/deliveries/", **query) == {wanted.public_id}
    assert found(webhook_id=other.public_id) == {elsewhere.public_id}
    assert found(f"webhooks/{other.public_id}/deliveries/") == {elsewhere.public_id}
    assert fields_at_fault(api.get("webhooks/deliveries/", status="lost")) == {"status"}
    assert fields_at_fault(api.get("webhooks/deliveries/", webhook_id="wh_1")) == {"webhook_id"}


def test_a_settled_delivery_is_sent_once_more(api: Api) -> None:
    delivery = make_delivery(make_endpoint(api.workspace))
    Delivery.objects.update(status="delivered", settled_at=NOW)

    answer = api.post(f"webhooks/deliveries/{delivery.public_id}/redeliver/")
    again = api.post(f"webhooks/deliveries/{delivery.public_id}/redeliver/")

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert (again.status_code, error_of(again)["code"]) == (409, "conflict")


def test_a_batch_is_shown_as_what_it_holds_and_sent_item_by_item_where_it_was_not_taken(api: Api) -> None:
    endpoint = make_endpoint(api.workspace, profile="batch", batch_wait_seconds=0)
    items = [NewItem(type=BatchType.SMS_SENT, render=lambda _, n=n: {"message": n}) for n in range(2)]  # type: ignore[misc]
    record(*(new_event(api.workspace, type="message.sent", batch=item) for item in items))
    batches.freeze_due(now=NOW)
    batch = Delivery.objects.get(endpoint=endpoint)
    path = f"webhooks/deliveries/{batch.public_id}/"

    shown = api.get(path).json()
    too_early = api.post(f"{path}replay-items/")
    Delivery.objects.filter(pk=batch.pk).update(status="failed", settled_at=NOW)
    sent = api.post(f"{path}replay-items/")

    assert (shown["event"], shown["event_id"], shown["call_id"]) == ("SMSSent", None, None)
    assert shown["payload"] == [{"message": 0}, {"message": 1}]
    assert too_early.status_code == 409
    assert (sent.status_code, sent.json()) == (202, {"items": 2})
    alone = api.get("webhooks/deliveries/?event=SMSSent&status=pending").json()["results"]
    assert len(alone) == 2
    refused = api.post(f"webhooks/deliveries/{alone[0]['id']}/replay-items/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_a_batch")


def test_a_key_that_only_reads_changes_nothing() -> None:
    api = Api(scope="read")
    delivery = make_delivery(make_endpoint(api.workspace))
    path = f"webhooks/{delivery.endpoint.public_id}/"

    refused = [
        api.post("webhooks/", NEW),
        api.patch(path, {"name": "x"}),
        api.delete(path),
        api.post(f"{path}test/"),
        api.post(f"{path}rotate-secret/"),
        api.post(f"webhooks/deliveries/{delivery.public_id}/redeliver/"),
        api.post(f"webhooks/deliveries/{delivery.public_id}/replay-items/"),
    ]

    assert {answer.status_code for answer in refused} == {403}
    assert api.get(path).status_code == 200


def test_another_workspace_has_neither_endpoints_nor_deliveries(api: Api) -> None:
    foreign = make_delivery(make_endpoint())
    record(new_event(foreign.workspace))
    path = f"webhooks/{foreign.endpoint.public_id}/"
    delivery = f"webhooks/deliveries/{foreign.public_id}/"

    answers = [
        api.get(path),
        api.patch(path, {"name": "x"}),
        api.delete(path),
        api.post(f"{path}test/"),
        api.post(f"{path}rotate-secret/"),
        api.post(f"{path}promote-secret/"),
        api.post(f"{path}pause/"),
        api.post(f"{path}resume/"),
        api.get(f"{path}deliveries/"),
        api.get(delivery),
        api.post(f"{delivery}redeliver/"),
        api.get("webhooks/nonsense/"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert api.get("webhooks/").json()["results"] == api.get("webhooks/deliveries/").json()["results"] == []


def test_a_sample_of_any_event_can_be_sent_and_what_there_are_no_arrays_of_is_refused(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)
    arrays = make_endpoint(api.workspace, profile="batch")

    sent = api.post(f"webhooks/{endpoint.public_id}/test/", {"event": "call.analyzed"})

    assert (sent.status_code, sent.json()["event"]) == (202, "call.analyzed")
    assert fields_at_fault(api.post(f"webhooks/{endpoint.public_id}/test/", {"event": "call.finished"})) == {"event"}
    assert fields_at_fault(api.post(f"webhooks/{arrays.public_id}/test/", {"event": "campaign.paused"})) == {"event"}


def test_a_delivery_is_told_as_a_command_without_its_secret(api: Api) -> None:
    delivery = make_delivery(make_endpoint(api.workspace, signing_method="bearer", secret="s3cret"))  # noqa: S106

    command = api.get(f"webhooks/deliveries/{delivery.public_id}/curl/").json()["curl"]

    assert command.startswith("curl ")
    assert "$WEBHOOK_SECRET" in command
    assert "s3cret" not in command
    assert Api().get(f"webhooks/deliveries/{delivery.public_id}/curl/").status_code == 404


def test_a_secret_that_was_rotated_a_day_ago_wants_to_be_promoted(api: Api) -> None:
    endpoint = make_endpoint(api.workspace)
    path = f"webhooks/{endpoint.public_id}/"
    api.post(f"{path}rotate-secret/")
    assert api.get(path).json()["wants_promotion"] is False

    Endpoint.objects.update(rotated_at=NOW)

    assert api.get(path).json()["wants_promotion"] is True
    assert api.post(f"{path}promote-secret/").json()["wants_promotion"] is False


def test_custom_headers_are_shown_by_name_only_and_survive_a_round_trip(api: Api) -> None:
    made = api.post("webhooks/", {**NEW, "custom_headers": {"X-Api-Key": "hush", "X-Old": "old"}}, idempotency_key="a")
    path = f"webhooks/{made.json()['id']}/"
    shown = api.get(path).json()["custom_headers"]
    del shown["X-Old"]

    edited = api.patch(path, {"custom_headers": shown})

    assert shown == {"X-Api-Key": MASK}
    assert edited.json()["custom_headers"] == shown
    assert Endpoint.objects.get().custom_headers == {"X-Api-Key": "hush"}
    answers = (made, edited, api.get(path), api.get("webhooks/"))
    assert not any("hush" in answer.content.decode() for answer in answers)
    kept = IdempotentRequest.objects.get()
    assert "hush" not in decrypt(bytes(kept.body or b""))


def test_the_secret_of_an_endpoint_is_given_again_to_the_key_that_asked_and_to_no_other(api: Api) -> None:
    other = Api(api.workspace, scope="admin")
    made = api.post("webhooks/", NEW, idempotency_key="a")
    path = f"webhooks/{made.json()['id']}/rotate-secret/"
    rotated = api.post(path, idempotency_key="b")

    stolen = other.post("webhooks/", NEW, idempotency_key="a"), other.post(path, idempotency_key="b")

    assert [answer.status_code for answer in stolen] == [409, 409]
    assert {error_of(answer)["code"] for answer in stolen} == {"idempotency_key_of_another_api_key"}
    assert rotated.json()["secret"] == api.post(path, idempotency_key="b").json()["secret"]
    assert Endpoint.objects.count() == 1


def test_an_endpoint_is_limited_to_a_persona_or_campaign_that_exists_in_its_workspace(api: Api) -> None:
    mine, theirs = make_campaign(api.workspace), make_campaign()
    persona = make_persona(api.workspace)
    endpoint = make_endpoint(api.workspace)
    path = f"webhooks/{endpoint.public_id}/"

    for wrong in ({"campaign_id": theirs.public_id}, {"campaign_id": public_id("camp", uuid4())}):
        assert fields_at_fault(api.post("webhooks/", {**NEW, **wrong})) == {"campaign_id"}
        assert fields_at_fault(api.patch(path, wrong)) == {"campaign_id"}
    elsewhere = {"scope_type": "persona", "scope_id": make_persona().public_id}
    assert fields_at_fault(api.post("webhooks/", {**NEW, **elsewhere})) == {"scope_id"}

    assert api.post("webhooks/", {**NEW, "campaign_id": mine.public_id}).status_code == 201
    assert api.patch(path, {"persona_id": persona.public_id}).status_code == 200


def test_items_of_arrays_are_tested_by_their_own_name(api: Api) -> None:
    arrays = make_endpoint(api.workspace, profile="batch")
    envelopes = make_endpoint(api.workspace)

    sent = api.post(f"webhooks/{arrays.public_id}/test/", {"event": "CallComplete"})
    refused = api.post(f"webhooks/{envelopes.public_id}/test/", {"event": "CallComplete"})

    assert (sent.status_code, sent.json()["event"]) == (202, "CallComplete")
    payload = api.get(f"webhooks/deliveries/{sent.json()['id']}/").json()["payload"]
    assert [item["eventType"] for item in payload] == ["CallComplete"]
    assert fields_at_fault(refused) == {"event"}


def test_a_delivery_says_which_one_before_it_in_its_chain_it_waits_for(api: Api) -> None:
    ordered, other = make_endpoint(api.workspace, ordered=True), make_endpoint(api.workspace)
    chain = uuid4()
    ids = record(*(new_event(api.workspace, chain_id=chain) for _ in range(3)))
    first, second, third = (Delivery.objects.get(endpoint=ordered, event=event_id) for event_id in ids)

    def waits(endpoint: Endpoint) -> dict[str, str | None]:
        rows = api.get(f"webhooks/{endpoint.public_id}/deliveries/").json()["results"]
        return {row["id"]: row["waits_for"] for row in rows}

    assert waits(ordered) == {
        first.public_id: None,
        second.public_id: first.public_id,
        third.public_id: first.public_id,
    }
    assert set(waits(other).values()) == {None}
    Delivery.objects.filter(pk__in=[first.pk, second.pk]).update(status="failed", settled_at=NOW)
    again = api.post(f"webhooks/deliveries/{second.public_id}/redeliver/")
    assert again.json()["waits_for"] is None
    assert waits(ordered)[third.public_id] == second.public_id
    assert api.get(f"webhooks/deliveries/{third.public_id}/").json()["waits_for"] == second.public_id


def test_an_endpoint_asks_for_chains_in_order_and_not_for_arrays(api: Api) -> None:
    made = api.post("webhooks/", {**NEW, "ordered": True})
    path = f"webhooks/{made.json()['id']}/"

    assert (made.json()["ordered"], api.patch(path, {"ordered": False}).json()["ordered"]) == (True, False)
    api.patch(path, {"ordered": True})
    assert fields_at_fault(api.patch(path, {"profile": "batch", "events": ["CallComplete"]})) == {"ordered"}

"""Receivers written for the published documents work: what they get is what the examples show.

The bytes are those that a receiver process got from the shipped engine and the simulated carrier.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from pytest_django.fixtures import Settings

from tests.api.client import Api
from tests.conformance.examples import EXAMPLES, FIXTURES, read
from tests.conformance.run import SECRET, Captured, Run, node_receiver
from tests.conformance.shapes import differences
from tests.contracts.schemas import faults
from tests.factories import make_contact, make_line, make_persona
from tests.simulated_carrier import StartCarrier
from webhooks.rules.signature import standard_form

pytestmark = pytest.mark.django_db(transaction=True)

_captured: list[Captured] = []
"""What one run brought, for all tests of this module: it takes a while."""
_begun: list[bool] = []
"""A run that failed is not begun again for every test."""


@pytest.fixture
def captured(start_carrier: StartCarrier, live_server: Any, settings: Settings, tmp_path: Path) -> list[Captured]:
    if not _captured:
        assert not _begun, "the run failed, as the first test of it says"
        _begun.append(True)
        settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
        settings.CAMPAIGN_COMPLETION_GRACE_SECONDS = 0
        carrier = start_carrier(report_url=f"{live_server.url}/carriers/simulated/")
        settings.SIMULATED_CARRIER_URL, settings.SIMULATED_CARRIER_SECRET = carrier.url, carrier.secret
        with node_receiver(tmp_path) as receiver:
            run = Run(carrier, receiver)
            try:
                run.play()
            finally:
                run.close()
            _captured.extend(receiver.captured)
    return _captured


def payloads(captured: list[Captured], path: str) -> list[Any]:
    return [request.payload for request in captured if request.path == path]


def events(captured: list[Captured], type_: str) -> list[Any]:
    return [body for body in payloads(captured, "/envelope") if body["event"] == type_]


def items(captured: list[Captured], type_: str) -> list[Any]:
    arrays = [request for request in captured if request.path == "/batch"]
    return [item for array in arrays if array.headers["x-kejue-event"] == type_ for item in array.payload]


def the_one(found: list[Any], **wanted: object) -> Any:
    (only,) = [body for body in found if all(body["data"].get(name) == value for name, value in wanted.items())]
    return only


def _results(captured: list[Captured]) -> list[Any]:
    """Return the results of the example's three people: one that is complete, one in part, one not."""
    found = items(captured, "CallComplete")
    by_phone = {item["data"]["phone"]: item for item in reversed(found)}
    return [by_phone[phone] for phone in ("61491570000", "61491580000", "61491570001")]


def _attempts(captured: list[Captured]) -> list[Any]:
    by_phone = {item["phone"]: item for item in items(captured, "CallAttempted")}
    return [by_phone["61491570004"], by_phone["61491580000"]]


def _received(captured: list[Captured]) -> list[Any]:
    kinds = {item["type"]: item for item in items(captured, "CallReceived")}
    return [kinds["inbound"], kinds["outbound-callback"]]


def _sent(captured: list[Captured]) -> list[Any]:
    return sorted(items(captured, "SMSSent"), key=lambda item: "correlationId" not in item)


SHOWN: dict[str, Callable[[list[Captured]], Any]] = {
    "envelope/envelope": lambda c: events(c, "call.ended")[0],
    "envelope/call.started": lambda c: next(b for b in events(c, "call.started") if b["data"]["campaign_id"] is None),
    "envelope/call.ended": lambda c: events(c, "call.ended")[0],
    "envelope/callback": lambda c: next(b for b in events(c, "call.ended") if b["data"]["status"] == "busy"),
    "envelope/call.analyzed": lambda c: events(c, "call.analyzed")[0],
    "envelope/campaign.ended": lambda c: the_one(events(c, "campaign.ended"), campaign_name="Q1 Outreach"),
    "batch/CallComplete": _results,
    "batch/CallAttempted": _attempts,
    "batch/CallReceived": _received,
    "batch/SMSSent": _sent,
    "batch/SMSReceived": lambda c: items(c, "SMSReceived"),
    "status/call_status_callback": lambda c: next(
        b for b in payloads(c, "/call_status_callback") if b["number"] == "+919876540000"
    ),
    "status/call_schedule_callback": lambda c: next(
        b for b in payloads(c, "/call_schedule_callback") if b["to"] == "+919876540006"
    ),
    "status/status_callback": lambda c: payloads(c, "/status_callback")[0],
}
"""Which of the payloads of the run is the one that an example shows."""


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_what_a_receiver_gets_is_what_the_example_shows(name: str, captured: list[Captured]) -> None:
    assert differences(read(name), SHOWN[name](captured), EXAMPLES[name]) == []


def test_every_example_has_been_held_against_the_run() -> None:
    fixtures = {f"{path.parent.name}/{path.stem}" for path in FIXTURES.glob("*/*.json")} - {"batch/repairs"}

    assert fixtures == {*EXAMPLES, "envelope/inline-webhooks"}
    assert SHOWN.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in FIXTURES.glob("*/*.published.txt")))
def test_an_example_that_is_not_json_is_repaired_at_the_places_listed_and_nowhere_else(name: str) -> None:
    published = (FIXTURES / "batch" / f"{name}.published.txt").read_text()
    with pytest.raises(json.JSONDecodeError):
        json.loads(published)

    repaired = published
    for repair in read("batch/repairs")[name]:
        assert repaired.count(repair["published"]) == 1
        repaired = repaired.replace(repair["published"], repair["repaired"])

    assert json.loads(repaired) == read(f"batch/{name}")


def test_the_documents_own_way_of_verifying_accepts_every_signed_request(captured: list[Captured]) -> None:
    verdicts = {request.path: request.verdict for request in captured}

    assert {request.verdict for request in captured if request.path in ("/envelope", "/batch")} == {"authentic"}
    assert {verdicts[path] for path in verdicts if path.endswith("_callback")} == {"unsigned"}


def test_the_standard_webhooks_and_svix_libraries_accept_every_signed_request(captured: list[Captured]) -> None:
    signed = [request for request in captured if request.path in ("/envelope", "/batch")]
    libraries: tuple[Any, ...] = (
        standardwebhooks.Webhook(standard_form(SECRET)),
        svix.webhooks.Webhook(standard_form(SECRET)),
    )

    for request in signed:
        for library in libraries:
            library.verify(request.body, request.headers)
    forged = {**signed[0].headers, "webhook-id": "evt_other"}
    for library, refusal in zip(
        libraries, (standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError), strict=True
    ):
        with pytest.raises(refusal):
            library.verify(signed[0].body, forged)


def test_every_payload_of_the_run_fits_its_schema(captured: list[Captured]) -> None:
    wrong = []
    for request in captured:
        profile = request.path.strip("/")
        name = (
            f"{profile}/{request.headers['x-kejue-event']}" if profile in ("envelope", "batch") else f"status/{profile}"
        )
        wrong += faults(name, request.payload)

    assert wrong == []


def test_each_result_and_each_end_is_told_once(captured: list[Captured]) -> None:
    bodies = payloads(captured, "/envelope")
    ids = [body["event_id"] for body in bodies]
    results = [item["data"]["callResultId"] for item in items(captured, "CallComplete")]

    assert len(ids) == len(set(ids))
    assert len(results) == len(set(results))
    assert len(payloads(captured, "/call_schedule_callback")) == 2
    assert len(payloads(captured, "/status_callback")) == 1
    for chain in {body["chain_id"] for body in bodies if "chain_id" in body}:
        sequence = [body["sequence"] for body in bodies if body.get("chain_id") == chain]
        assert sorted(sequence) == list(range(1, len(sequence) + 1))


def test_the_reports_address_in_the_last_callback_serves_the_report(captured: list[Captured]) -> None:
    url: str = payloads(captured, "/status_callback")[0]["report_url"]

    assert "/campaign_report.csv?" in url
    assert "signature=" in url


def test_a_call_with_the_documents_inline_webhooks_is_taken() -> None:
    api = Api()
    make_line(api.workspace, is_default=True)
    body = read("envelope/inline-webhooks")
    body |= {
        "contact_id": make_contact(api.workspace).public_id,
        "persona_id": make_persona(api.workspace).public_id,
    }
    body["config"]["webhooks"][0]["url"] = (
        "https://9.9.9.9/webhook"  # a name that can be resolved is none of the test's
    )

    answer = api.post("calls/", body)

    assert answer.status_code == 201, answer.content

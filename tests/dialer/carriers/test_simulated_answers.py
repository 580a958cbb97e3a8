"""How the simulated carrier's adapter reads answers and reports that the real one would not give."""

import json
import socket
import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import override_settings
from pytest_django import Settings

from dialer.carriers import of, reading, simulated
from dialer.carriers.base import (
    Accepted,
    Answer,
    Busy,
    CannotSay,
    Found,
    Health,
    NotFound,
    Refused,
    ReportNotAuthentic,
    ReportRequest,
    Unknown,
)
from dialer.carriers.simulated import SimulatedCarrier
from dialer.carriers.simulation.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from dialer.models import Line
from tests.dialer.carriers.conformance import a_request, handed_over
from tests.dialer.carriers.receiver import Receiver

SECRET = "a secret"  # noqa: S105 — guards nothing
NOW = 1_741_773_600
CALL_ID = "01957a3c-0000-7000-8000-000000000001"
NUMBER = "+493012345678"


@pytest.fixture
def carrier(receiver: Receiver) -> SimulatedCarrier:
    return carrier_at(receiver.url)


def carrier_at(url: str) -> SimulatedCarrier:
    with override_settings(SIMULATED_CARRIER_URL=url, SIMULATED_CARRIER_SECRET=SECRET):
        return SimulatedCarrier(Line(), seconds=0.5, clock=lambda: NOW)


def a_report(**fields: object) -> dict[str, object]:
    return {
        "kind": "ended",
        "event_id": "e-1",
        "call_id": CALL_ID,
        "carrier_call_id": "c-1",
        "occurred_at": "2025-03-12T10:00:00+00:00",
        "outcome": "busy",
    } | fields


def signed(body: bytes, *, at: int = NOW, secret: str = SECRET) -> dict[str, str]:
    return {TIMESTAMP_HEADER: str(at), SIGNATURE_HEADER: signature(secret, str(at), body)}


def came(headers: dict[str, str], body: bytes) -> ReportRequest:
    return ReportRequest(url="https://ringback.example/carriers/simulated/", headers=headers, body=body)


def down(reason: str, retry_after: timedelta) -> Busy:
    return Busy(reason=reason, retry_after=retry_after, health=Health.OUT_OF_REACH)


def out_of_reach(reason: str) -> Unknown:
    return Unknown(reason=reason, health=Health.OUT_OF_REACH)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, {"carrier_call_id": "c-1"}, Accepted(carrier_call_id="c-1")),
        (200, {}, Unknown(reason="HTTP 200")),
        (302, {"carrier_call_id": "c-1"}, Unknown(reason="HTTP 302")),
        (401, {}, simulated.REFUSES_US),
        (409, {}, Unknown(reason="the carrier has had this before", health=Health.ALIVE)),
        (422, {"outcome": "invalid_number", "reason": "x"}, Refused(outcome="invalid_number", reason="x")),
        (422, {"outcome": "lines on fire", "reason": "x"}, Refused(outcome="network_error", reason="x")),
        (201, {"carrier_call_id": "\0"}, Accepted(carrier_call_id=reading.identifier("\0"))),
        (422, {"outcome": "busy", "reason": "\0"}, Refused(outcome="busy", reason="\N{REPLACEMENT CHARACTER}")),
        (422, {}, Unknown(reason="HTTP 422")),
        (429, {"not_accepted": True, "retry_after": 2}, Busy(reason="carrier_busy", retry_after=timedelta(seconds=2))),
        (503, {"not_accepted": True, "reason": "down"}, down("down", timedelta(seconds=5))),
        (
            503,
            {"not_accepted": True, "retry_after": 1e9},
            down("carrier_busy", simulated.LONGEST_WAIT),
        ),
        (
            503,
            {"not_accepted": True, "retry_after": -1},
            down("carrier_busy", timedelta(seconds=5)),
        ),
        (503, {}, out_of_reach("HTTP 503")),
        (429, {"retry_after": 2}, Unknown(reason="HTTP 429")),
        (500, {"not_accepted": True}, out_of_reach("HTTP 500")),
    ],
)
def test_only_the_carriers_own_word_makes_an_answer_certain(
    carrier: SimulatedCarrier, receiver: Receiver, status: int, body: dict[str, object], expected: Answer
) -> None:
    receiver.statuses, receiver.body = [status], json.dumps(body).encode()

    assert carrier.place(a_request(NUMBER)) == expected
    assert len(receiver.received) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"accepted"'])
def test_an_answer_that_is_not_the_carriers_json_is_ambiguous(
    carrier: SimulatedCarrier, receiver: Receiver, body: bytes
) -> None:
    receiver.body = body

    assert isinstance(carrier.place(a_request(NUMBER)), Unknown)
    assert isinstance(carrier.look_up(handed_over(UUID(CALL_ID))), CannotSay)


def test_a_not_found_of_somebody_else_on_the_way_says_nothing(carrier: SimulatedCarrier, receiver: Receiver) -> None:
    receiver.statuses = [404]

    assert carrier.look_up(handed_over(UUID(CALL_ID))) == CannotSay(reason="HTTP 404")


def test_the_carriers_own_not_found_counts(carrier: SimulatedCarrier, receiver: Receiver) -> None:
    receiver.statuses, receiver.body = [404], b'{"not_found": true}'

    assert carrier.look_up(handed_over(UUID(CALL_ID))) == NotFound()


def test_silence_after_the_request_is_ambiguous() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        carrier = carrier_at(f"http://127.0.0.1:{listening.getsockname()[1]}")

        assert carrier.place(a_request(NUMBER)) == out_of_reach("no response in time")
        assert carrier.look_up(handed_over(UUID(CALL_ID))) == CannotSay(reason="no response in time")


def test_a_connection_that_is_cut_before_the_answer_is_ambiguous() -> None:
    def cut() -> None:
        connection, _ = listening.accept()
        connection.recv(65_536)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=cut)
        thread.start()
        answer = carrier_at(f"http://127.0.0.1:{listening.getsockname()[1]}").place(a_request(NUMBER))
        thread.join()

    assert isinstance(answer, Unknown)
    assert answer.health is Health.OUT_OF_REACH


def test_a_name_that_nobody_has_was_never_asked() -> None:
    assert carrier_at("http://carrier.invalid").place(a_request(NUMBER)) == simulated.CARRIER_DOWN


def test_what_is_asked_carries_our_id_and_the_secret(carrier: SimulatedCarrier, receiver: Receiver) -> None:
    request = a_request(NUMBER)

    carrier.place(request)

    received = receiver.received[0]
    assert received.headers["Authorization"] == f"Bearer {SECRET}"
    assert received.content["call_id"] == str(request.call_id)
    assert received.content["public_id"] == request.public_id
    assert received.content["ring_timeout_seconds"] == 30


def test_a_signed_report_is_read_whatever_the_case_of_its_headers(carrier: SimulatedCarrier) -> None:
    body = json.dumps({"reports": [a_report()]}).encode()

    [report] = carrier.parse_reports(came({name.upper(): value for name, value in signed(body).items()}, body))

    assert (report.kind, report.outcome, report.call_id) == ("ended", "busy", UUID(CALL_ID))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_report_within_five_minutes_of_our_clock_is_taken(carrier: SimulatedCarrier, seconds: int) -> None:
    body = json.dumps({"reports": [a_report()]}).encode()

    assert carrier.parse_reports(came(signed(body, at=NOW + seconds), body))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_report_farther_from_our_clock_is_not_authentic(carrier: SimulatedCarrier, seconds: int) -> None:
    body = json.dumps({"reports": [a_report()]}).encode()

    with pytest.raises(ReportNotAuthentic):
        carrier.parse_reports(came(signed(body, at=NOW + seconds), body))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {SIGNATURE_HEADER: "é", TIMESTAMP_HEADER: str(NOW)},
        signed(b"{}", secret="another"),  # noqa: S106
        {**signed(b"{}"), TIMESTAMP_HEADER: str(NOW + 1)},
    ],
)
def test_a_report_that_is_not_signed_with_the_secret_is_not_authentic(
    carrier: SimulatedCarrier, headers: dict[str, str]
) -> None:
    with pytest.raises(ReportNotAuthentic):
        carrier.parse_reports(came(headers, b"{}"))


def test_without_a_secret_no_report_is_authentic(settings: Settings) -> None:
    settings.SIMULATED_CARRIER_SECRET = ""
    carrier = SimulatedCarrier(Line(), clock=lambda: NOW)

    with pytest.raises(ReportNotAuthentic):
        carrier.parse_reports(came(signed(b"{}", secret=""), b"{}"))


@pytest.mark.parametrize(
    "broken",
    [
        "not an object",
        {"kind": "ended"},
        a_report(kind="exploded"),
        a_report(call_id="nobody's"),
        a_report(call_id=7),
        a_report(occurred_at="2025-03-12T10:00:00"),
        a_report(occurred_at="yesterday"),
        a_report(kind=["ended"]),
        a_report(event_id=""),
        a_report(event_id=None),
        a_report(carrier_call_id=[]),
        a_report(occurred_at=7),
        [],
    ],
)
def test_a_report_that_cannot_be_understood_does_not_hold_up_the_others(
    carrier: SimulatedCarrier, broken: object
) -> None:
    body = json.dumps({"reports": [broken, a_report(event_id="e-2")]}).encode()

    assert [report.event_id for report in carrier.parse_reports(came(signed(body), body))] == ["e-2"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"reports": 7}', b"\xff", b"[" * 100_000])
def test_a_signed_body_of_another_shape_has_no_reports(carrier: SimulatedCarrier, body: bytes) -> None:
    assert carrier.parse_reports(came(signed(body), body)) == []


def test_reports_of_other_calls_in_the_answer_to_a_look_up_are_left_out(
    carrier: SimulatedCarrier, receiver: Receiver
) -> None:
    ring = a_report(event_id="e-3", direction="inbound", **{"from": NUMBER, "to": NUMBER})
    told = [a_report(event_id="e-1"), a_report(event_id="e-2", call_id=str(UUID(int=1))), ring]
    receiver.body = json.dumps({"is_live": False, "reports": told}).encode()

    found = carrier.look_up(handed_over(UUID(CALL_ID)))

    assert isinstance(found, Found)
    assert [report.event_id for report in found.reports] == ["e-1"]


def test_a_line_uses_the_carrier_of_the_settings(settings: Settings, receiver: Receiver) -> None:
    settings.SIMULATED_CARRIER_URL = receiver.url
    settings.SIMULATED_CARRIER_SECRET = SECRET

    of(Line(carrier="simulated")).place(a_request(NUMBER))

    assert receiver.received[0].headers["Authorization"] == f"Bearer {SECRET}"

"""Twilio's adapter against a carrier that speaks its REST API and signs with its own library."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings
from twilio.request_validator import RequestValidator

from dialer.carriers.base import (
    Accepted,
    Answer,
    Busy,
    CannotSay,
    Carrier,
    Found,
    HandedOver,
    Health,
    PlaceRequest,
    Refused,
    ReportNotAuthentic,
    ReportRequest,
    SendRequest,
    Sent,
    Unknown,
)
from dialer.carriers.twilio import SIGNATURE_HEADER, TwilioCarrier
from dialer.carriers.twilio_words import signature
from dialer.models import Line
from dialer.rules.statuses import Outcome
from dialer.workspaces.ids import new_id
from tests.dialer.carriers.conformance import CarrierConformance, a_request, handed_over
from tests.dialer.carriers.receiver import Receiver
from tests.twilio.fake import ACCOUNT, TOKEN, FakeTwilio, fake_twilio

_PREFIX = "+4930123400"
_NUMBERS = {
    "answers": f"{_PREFIX}00",
    "is busy": f"{_PREFIX}03",
    "does not exist": f"{_PREFIX}04",
    "is silent": f"{_PREFIX}07",
    "talks on": f"{_PREFIX}18",
}
CREDENTIALS = json.dumps({"account_sid": ACCOUNT, "auth_token": TOKEN})
ENDPOINT = "sip:agent@voice.example;transport=tls"


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with fake_twilio() as twilio:
        yield twilio


@pytest.fixture
def carrier(twilio: FakeTwilio, receiver: Receiver, settings: Settings) -> TwilioCarrier:
    settings.TWILIO_API_URL, settings.PUBLIC_URL = twilio.url, receiver.url
    return TwilioCarrier(Line(carrier="twilio", credentials=CREDENTIALS))


@dataclass(kw_only=True)
class TwilioLaboratory:
    carrier: Carrier
    twilio: FakeTwilio
    receiver: Receiver
    settings: Settings

    def number_that(self, does: str) -> str:
        return _NUMBERS[does]

    def times_asked(self, call_id: UUID) -> int:
        return sum(str(call_id) in form.get("StatusCallback", [""])[0] for _, form in self.twilio.requests)

    def fill(self) -> None:
        self.twilio.is_full = True

    def take_away(self) -> None:
        self.settings.TWILIO_API_URL = "http://127.0.0.1:9"

    def deliveries_until_end_of(self, call_id: UUID) -> list[ReportRequest]:
        def of_call(request: ReportRequest) -> bool:
            return str(call_id) in request.url

        def has_ended(request: ReportRequest) -> bool:
            return of_call(request) and b"SipResponseCode" in request.body

        received = self.receiver.wait_for(lambda all_: any(has_ended(one.as_it_came()) for one in all_))
        return [request for one in received if of_call(request := one.as_it_came())]


class TestTwilio(CarrierConformance):
    @pytest.fixture
    def laboratory(
        self, carrier: TwilioCarrier, twilio: FakeTwilio, receiver: Receiver, settings: Settings
    ) -> TwilioLaboratory:
        return TwilioLaboratory(carrier=carrier, twilio=twilio, receiver=receiver, settings=settings)


def test_the_signature_is_that_of_twilios_own_example() -> None:
    """The vector of its documents: https://www.twilio.com/docs/usage/security."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"

    ours = signature("12345", url, list(form.items()))

    assert ours == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert RequestValidator("12345").validate(url, form, ours)


@pytest.mark.parametrize("port", ["", ":443"])
def test_a_signature_over_the_address_with_or_without_its_port_fits(carrier: TwilioCarrier, port: str) -> None:
    form = {"CallSid": "CA1", "CallStatus": "ringing"}
    path = f"/carriers/twilio/line/?call={new_id()}"
    signed = RequestValidator(TOKEN).compute_signature(f"https://ringback.example{port}{path}", form)

    request = came(f"https://ringback.example{path}", form, signed)

    assert [report.kind for report in carrier.parse_reports(request)] == ["ringing"]


@pytest.mark.parametrize(
    "forged",
    [
        {"token": "another account's"},
        {"url": f"https://ringback.example/carriers/twilio/line/?call={new_id()}"},
        {"extra": {"CallDuration": "1"}},
    ],
)
def test_a_report_that_the_lines_account_did_not_sign_as_it_came_is_not_authentic(
    carrier: TwilioCarrier, forged: dict[str, Any]
) -> None:
    form = {"CallSid": "CA1", "CallStatus": "ringing"}
    url = f"https://ringback.example/carriers/twilio/line/?call={new_id()}"
    signed = RequestValidator(forged.get("token", TOKEN)).compute_signature(url, form)

    with pytest.raises(ReportNotAuthentic):
        carrier.parse_reports(came(forged.get("url", url), form | forged.get("extra", {}), signed))


def test_without_a_token_nothing_is_authentic(settings: Settings) -> None:
    form = {"CallSid": "CA1", "CallStatus": "ringing"}
    url = f"https://ringback.example/carriers/twilio/line/?call={new_id()}"

    with pytest.raises(ReportNotAuthentic):
        TwilioCarrier(Line(carrier="twilio")).parse_reports(came(url, form, signature("", url, list(form.items()))))


def test_a_request_says_how_long_to_ring_whom_to_tell_and_that_machines_matter(
    carrier: TwilioCarrier, twilio: FakeTwilio
) -> None:
    request, answer = place_at(carrier, f"{_PREFIX}18")

    path, form = twilio.requests[0]
    assert isinstance(answer, Accepted)
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert (form["To"], form["From"]) == ([f"{_PREFIX}18"], ["+493012345678"])
    assert (form["Timeout"], form["TimeLimit"], form["MachineDetection"]) == (["30"], ["600"], ["Enable"])
    assert parse_qs(urlsplit(form["StatusCallback"][0]).query) == {"call": [str(request.call_id)]}
    assert form["StatusCallbackEvent"] == ["ringing", "answered", "completed"]


@pytest.mark.parametrize(
    ("endpoint", "name", "expected"),
    [
        ("https://agent.example/twiml?a=1&b=2", "Url", "https://agent.example/twiml?a=1&b=2"),
        (
            "sip:agent@voice.example;transport=tls",
            "Twiml",
            "<Response><Dial><Sip>sip:agent@voice.example;transport=tls</Sip></Dial></Response>",
        ),
        ("+493098765432", "Twiml", "<Response><Dial><Number>+493098765432</Number></Dial></Response>"),
        (
            "sip:a</Sip><Record/>@b",
            "Twiml",
            "<Response><Dial><Sip>sip:a&lt;/Sip&gt;&lt;Record/&gt;@b</Sip></Dial></Response>",
        ),
    ],
)
def test_a_call_is_connected_to_its_persona(
    carrier: TwilioCarrier, twilio: FakeTwilio, endpoint: str, name: str, expected: str
) -> None:
    place_at(carrier, f"{_PREFIX}18", endpoint)

    assert twilio.requests[0][1][name] == [expected]


def test_a_media_stream_gets_the_id_of_the_call(carrier: TwilioCarrier, twilio: FakeTwilio) -> None:
    request, _ = place_at(carrier, f"{_PREFIX}18", 'wss://agent.example/media?"><Record/>')

    said = twilio.requests[0][1]["Twiml"][0]
    assert said == (
        '<Response><Connect><Stream url="wss://agent.example/media?&quot;&gt;&lt;Record/&gt;">'
        f'<Parameter name="call_id" value="{request.public_id}"/></Stream></Connect></Response>'
    )


@pytest.mark.parametrize("endpoint", ["", "agent 7", "ftp://agent.example", "javascript:alert(1)"])
def test_a_persona_that_twilio_cannot_reach_fails_its_own_call_and_not_the_line(
    carrier: TwilioCarrier, twilio: FakeTwilio, endpoint: str
) -> None:
    _, answer = place_at(carrier, f"{_PREFIX}00", endpoint)

    assert isinstance(answer, Refused)
    assert answer.outcome == Outcome.NETWORK_ERROR
    assert twilio.requests == []


@pytest.mark.parametrize("number", ["sip:evil@127.0.0.1:5098", "0301234", "+49 30", "+4930123400\n"])
def test_what_is_no_number_is_refused_and_not_sent(carrier: TwilioCarrier, twilio: FakeTwilio, number: str) -> None:
    _, answer = place_at(carrier, number)

    assert isinstance(answer, Refused)
    assert answer.outcome == Outcome.INVALID_NUMBER
    assert twilio.requests == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"code": 20003, "message": "Authenticate"}', ("busy", Health.REJECTED)),
        (400, b'{"code": 21212, "message": "Invalid From Number"}', ("busy", Health.REJECTED)),
        (400, b'{"code": 21215, "message": "Geo Permission"}', ("refused", Outcome.NETWORK_ERROR)),
        (400, b'{"code": 21211, "message": "Invalid To Number"}', ("refused", Outcome.INVALID_NUMBER)),
        (400, b'{"code": 99999, "message": "Unlisted, of +493012340000"}', ("refused", Outcome.NETWORK_ERROR)),
        (403, b'{"code": 20005, "message": "Account not active"}', ("busy", Health.REJECTED)),
        (429, b'{"code": 20429, "message": "Too Many Requests"}', ("busy", Health.ALIVE)),
        (429, b"slow down", ("busy", Health.ALIVE)),
        (500, b"<html>oops</html>", ("unknown", Health.OUT_OF_REACH)),
        (503, b"", ("unknown", Health.OUT_OF_REACH)),
        (400, b"<html>a proxy</html>", ("unknown", Health.UNSAID)),
        (302, b"", ("unknown", Health.UNSAID)),
        (201, b"<html>", ("unknown", Health.ALIVE)),
        (201, b'{"sid": 7}', ("unknown", Health.ALIVE)),
        (201, b"[" * 100_000, ("unknown", Health.ALIVE)),
    ],
)
def test_an_answer_means_what_can_be_known_from_it(
    carrier: TwilioCarrier, twilio: FakeTwilio, status: int, body: bytes, expected: tuple[str, object]
) -> None:
    twilio.answers.append((status, body))

    _, answer = place_at(carrier, f"{_PREFIX}00")

    match answer:
        case Busy() | Unknown():
            assert (type(answer).__name__.lower(), answer.health) == expected
        case Refused():
            assert ("refused", answer.outcome) == expected
        case _:
            pytest.fail(str(answer))


def test_a_line_without_credentials_asks_for_nothing(settings: Settings, twilio: FakeTwilio) -> None:
    settings.TWILIO_API_URL = twilio.url
    carrier = TwilioCarrier(Line(carrier="twilio"))

    request, answer = place_at(carrier, f"{_PREFIX}00")

    assert isinstance(answer, Busy)
    assert answer.health is Health.REJECTED
    assert isinstance(carrier.look_up(handed_over(request)), CannotSay)
    assert twilio.requests == []


def test_an_account_cannot_name_another_path(settings: Settings, twilio: FakeTwilio) -> None:
    settings.TWILIO_API_URL = twilio.url
    credentials = json.dumps({"account_sid": "../../evil?x=", "auth_token": TOKEN})

    place_at(TwilioCarrier(Line(carrier="twilio", credentials=credentials)), f"{_PREFIX}00")

    assert twilio.requests[0][0] == "/2010-04-01/Accounts/..%2F..%2Fevil%3Fx%3D/Calls.json"


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ("00", Outcome.ANSWERED),
        ("01", Outcome.VOICEMAIL),
        ("02", Outcome.NO_ANSWER),
        ("03", Outcome.BUSY),
        ("05", Outcome.DECLINED),
        ("06", Outcome.NETWORK_ERROR),
        ("08", Outcome.INVALID_NUMBER),
        ("12", Outcome.ANSWERED),
        ("13", Outcome.ANSWERED),
    ],
)
def test_every_end_has_its_outcome(
    carrier: TwilioCarrier, twilio: FakeTwilio, receiver: Receiver, ending: str, outcome: Outcome
) -> None:
    place_at(carrier, f"{_PREFIX}{ending}")
    twilio.wait()

    reports = [report for one in receiver.received for report in carrier.parse_reports(one.as_it_came())]

    assert {report.outcome for report in reports if report.kind == "ended"} == {outcome}
    assert sum(report.kind == "ended" for report in reports) == (2 if ending == "12" else 1)
    assert len({report.event_id for report in reports if report.kind == "ended"}) == 1


def test_two_calls_that_could_be_ours_are_neithers_fate(carrier: TwilioCarrier) -> None:
    lost, _ = place_at(carrier, f"{_PREFIX}07")
    place_at(carrier, f"{_PREFIX}07")

    assert carrier.look_up(handed_over(lost)) == CannotSay(reason="several calls to the number since then")


def test_an_earlier_call_to_the_number_is_not_taken_for_ours(carrier: TwilioCarrier) -> None:
    earlier, _ = place_at(carrier, f"{_PREFIX}00")
    after = HandedOver(
        call_id=new_id(),
        carrier_call_id="",
        to=earlier.to,
        caller_id=earlier.caller_id,
        at=datetime.now(UTC) + timedelta(seconds=10),
    )

    found = carrier.look_up(after)

    assert not isinstance(found, Found)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"code": 1}'])
def test_a_proxys_404_does_not_mean_that_there_is_no_call(
    carrier: TwilioCarrier, twilio: FakeTwilio, body: bytes
) -> None:
    request, answer = place_at(carrier, f"{_PREFIX}18")
    twilio.answers.append((404, body))

    assert carrier.look_up(handed_over(request, answer)) == CannotSay(reason="HTTP 404")


@pytest.mark.parametrize(
    "form",
    [
        {"CallSid": "CA1"},
        {"CallStatus": "ringing"},
        {"CallSid": "CA1", "CallStatus": "exploded"},
        {"CallSid": "CA1", "CallStatus": "initiated"},
    ],
)
def test_a_signed_form_that_says_nothing_of_the_person_called_is_no_report(
    carrier: TwilioCarrier, form: dict[str, str]
) -> None:
    assert carrier.parse_reports(signed(f"https://ringback.example/?call={new_id()}", form)) == []


@pytest.mark.parametrize("query", ["", "?call=nobody", "?call="])
def test_a_report_that_names_no_call_of_ours_is_left_out(carrier: TwilioCarrier, query: str) -> None:
    form = {"CallSid": "CA1", "CallStatus": "completed", "Direction": "outbound-api"}

    assert carrier.parse_reports(signed(f"https://ringback.example/{query}", form)) == []


def test_a_message_is_sent_once_and_its_delivery_is_reported(
    carrier: TwilioCarrier, twilio: FakeTwilio, receiver: Receiver
) -> None:
    request = a_message(f"{_PREFIX}00")

    answer = carrier.send(request)
    twilio.wait()

    assert isinstance(answer, Sent)
    assert answer.segments == 1
    [report] = [report for one in receiver.received for report in carrier.parse_messages(one.as_it_came())]
    assert (report.kind, report.message_id) == ("delivered", request.message_id)
    assert report.carrier_message_id == answer.carrier_message_id
    assert receiver.received[0].path.startswith("/carriers/twilio/line_")
    assert "/messages/?message=" in receiver.received[0].path


def test_a_number_that_takes_no_messages_is_refused(carrier: TwilioCarrier) -> None:
    answer = carrier.send(a_message(f"{_PREFIX}04"))

    assert isinstance(answer, Refused)
    assert "not a valid mobile number" in answer.reason


def test_a_message_that_comes_in_and_one_that_failed_are_told_apart(carrier: TwilioCarrier) -> None:
    message_id = new_id()
    ours = f"https://ringback.example/?message={message_id}"
    came_in = {"MessageSid": "SM1", "SmsStatus": "received", "From": "+49301", "To": "+49302", "Body": "Stop"}
    failed = {"MessageSid": "SM2", "MessageStatus": "undelivered", "ErrorCode": "30003"}

    [received] = carrier.parse_messages(signed("https://ringback.example/", came_in))
    [undelivered] = carrier.parse_messages(signed(ours, failed))

    assert (received.kind, received.from_number, received.body) == ("received", "+49301", "Stop")
    assert (undelivered.kind, undelivered.message_id) == ("failed", message_id)
    assert undelivered.reason == "undelivered (30003)"
    assert carrier.parse_messages(signed(ours, {"MessageSid": "SM2", "MessageStatus": "sent"})) == []


def place_at(carrier: Carrier, number: str, endpoint: str = ENDPOINT) -> tuple[PlaceRequest, Answer]:
    request = replace(a_request(number), persona_endpoint=endpoint)
    return request, carrier.place(request)


def a_message(number: str) -> SendRequest:
    message_id = new_id()
    return SendRequest(
        message_id=message_id, public_id=f"msg_{message_id}", to=number, caller_id="+493012345678", body="Hello"
    )


def signed(url: str, form: dict[str, str]) -> ReportRequest:
    return came(url, form, RequestValidator(TOKEN).compute_signature(url, form))


def came(url: str, form: dict[str, str], signed: str) -> ReportRequest:
    return ReportRequest(url=url, headers={SIGNATURE_HEADER.lower(): signed}, body=urlencode(form).encode())

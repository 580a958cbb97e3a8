"""The adapter for Twilio, and for carriers that speak its REST API of 2010-04-01.

Twilio takes no id of ours and creates a second call for a second request. So the address to which a call is reported
carries our id, and a call whose answer was lost is found by its numbers and its time.
"""

import base64
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, quote, urlencode

from django.conf import settings

from dialer.carriers import reading
from dialer.carriers import twilio_words as words
from dialer.carriers.addresses import report_url
from dialer.carriers.base import (
    Accepted,
    Answer,
    Busy,
    CannotSay,
    Found,
    HandedOver,
    Health,
    LookUp,
    MessageReport,
    NotFound,
    PlaceRequest,
    Refused,
    Report,
    ReportNotAuthentic,
    ReportRequest,
    SendAnswer,
    SendRequest,
    Sent,
    Unknown,
)
from dialer.carriers.exchange import DEADLINE_SECONDS, NoResponse, Response, exchange
from dialer.rules.phone_number import is_dialable
from dialer.rules.statuses import Outcome

if TYPE_CHECKING:
    from dialer.models import Line

log = logging.getLogger(__name__)

SIGNATURE_HEADER: Final = "X-Twilio-Signature"
SLACK: Final = timedelta(seconds=2)
"""Twilio's times are whole seconds, and its clock may be behind ours."""

_STEPS: Final = ("ringing", "answered", "completed")
_TIMEOUTS: Final = range(5, 601)
_CANDIDATES: Final = 20
_NO_SUCH_RESOURCE: Final = 20404


class TwilioCarrier:
    """The adapter for the account of one line."""

    credential_names: ClassVar[frozenset[str]] = frozenset({"account_sid", "auth_token"})

    def __init__(
        self,
        line: "Line",
        *,
        seconds: float = DEADLINE_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        credentials: Mapping[str, Any] = json.loads(line.credentials or "{}")
        self._account = str(credentials.get("account_sid", ""))
        self._token = str(credentials.get("auth_token", ""))
        self._reports_to = report_url(line)
        self._seconds = seconds
        self._clock = clock

    def place(self, request: PlaceRequest) -> Answer:
        """Request a call once; returns ``Unknown`` if the carrier may have taken it without an answer."""
        says = words.what_is_said(request)
        if not is_dialable(request.to):
            return Refused(outcome=Outcome.INVALID_NUMBER, reason="not a number in E.164 form")
        if says is None:
            return Refused(outcome=Outcome.NETWORK_ERROR, reason="the persona has no endpoint for Twilio")
        asked = [
            ("To", request.to),
            ("From", request.caller_id),
            says,
            ("StatusCallback", f"{self._reports_to}?{urlencode({'call': request.call_id})}"),
            ("StatusCallbackMethod", "POST"),
            *(("StatusCallbackEvent", step) for step in _STEPS),
            ("Timeout", str(_clamped(request.ring_timeout))),
            ("TimeLimit", str(int(request.max_duration.total_seconds()))),
        ]
        if settings.TWILIO_MACHINE_DETECTION:
            asked.append(("MachineDetection", "Enable"))
        match self._ask("Calls.json", asked):
            case {"sid": str(sid)} if sid:
                return Accepted(carrier_call_id=reading.identifier(sid))
            case Busy() | Refused() | Unknown() as refused:
                return refused
            case _:
                return Unknown(reason="an answer without an id", health=Health.ALIVE)

    def look_up(self, call: HandedOver) -> LookUp:
        """Look up a call by the carrier's id, or by its numbers and time where that is not known.

        Two calls that could be ours are neither's fate: ``CannotSay``.
        """
        if call.carrier_call_id:
            found = self._read(f"Calls/{quote(call.carrier_call_id, safe='')}.json")
            if isinstance(found, NotFound | CannotSay):
                return found
            return words.of_resource(call, found, now=self._clock())
        query = urlencode({"To": call.to, "From": call.caller_id, "PageSize": _CANDIDATES})
        listed = self._read(f"Calls.json?{query}")
        if isinstance(listed, NotFound | CannotSay):
            return CannotSay(reason="the account was not found") if isinstance(listed, NotFound) else listed
        match [each for each in _objects(listed.get("calls")) if words.is_since(each, call.at - SLACK)]:
            case []:
                return NotFound()
            case [only]:
                return words.of_resource(call, only, now=self._clock())
            case _:
                return CannotSay(reason="several calls to the number since then")

    def hang_up(self, call: HandedOver) -> None:
        """Request the end of a call; only logs a failure, because a report tells whether the call ended."""
        carrier_call_id = call.carrier_call_id
        if not carrier_call_id:
            found = self.look_up(call)
            carrier_call_id = found.reports[0].carrier_call_id if isinstance(found, Found) and found.reports else ""
        if not carrier_call_id:
            log.warning("carrier.hang_up_failed call=%s error=the carrier's id is not known", call.call_id)
            return
        answer = self._ask(f"Calls/{quote(carrier_call_id, safe='')}.json", [("Status", "completed")])
        if isinstance(answer, Busy | Refused | Unknown):
            log.warning("carrier.hang_up_failed call=%s error=%s", call.call_id, answer.reason)

    def parse_reports(self, request: ReportRequest) -> list[Report]:
        """Return the report of a signed request; none if it says nothing new or is not understood."""
        form = self._authentic(request)
        try:
            report = words.report(form, words.id_in(request.url, "call"), now=self._clock())
        except ValueError as error:
            log.warning("carrier.report_not_understood error=%s", error)
            return []
        return [report] if report is not None else []

    def send(self, request: SendRequest) -> SendAnswer:
        """Request a message once; returns ``Unknown`` if the carrier may have taken it without an answer."""
        if not is_dialable(request.to):
            return Refused(outcome=Outcome.INVALID_NUMBER, reason="not a number in E.164 form")
        asked = [
            ("To", request.to),
            ("From", request.caller_id),
            ("Body", request.body),
            ("StatusCallback", f"{self._reports_to}messages/?{urlencode({'message': request.message_id})}"),
        ]
        match self._ask("Messages.json", asked):
            case {"sid": str(sid), **rest} if sid:
                count = rest.get("num_segments")
                segments = int(count) if isinstance(count, str) and count.isdecimal() else None
                return Sent(carrier_message_id=reading.identifier(sid), segments=reading.segments(segments))
            case Busy() | Refused() | Unknown() as refused:
                return refused
            case _:
                return Unknown(reason="an answer without an id", health=Health.ALIVE)

    def parse_messages(self, request: ReportRequest) -> list[MessageReport]:
        """Return the report about a message of a signed request; none if it is not final or not understood."""
        form = self._authentic(request)
        try:
            report = words.message_report(form, words.id_in(request.url, "message"), now=self._clock())
        except ValueError as error:
            log.warning("carrier.report_not_understood error=%s", error)
            return []
        return [report] if report is not None else []

    def _authentic(self, request: ReportRequest) -> Mapping[str, str]:
        """Return the fields of a request that the account signed; raises :class:`ReportNotAuthentic`."""
        try:
            pairs = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=bool(request.body))
        except ValueError as error:
            message = "the body is not a form"
            raise ReportNotAuthentic(message) from error
        given = {name.lower(): value for name, value in request.headers.items()}.get(SIGNATURE_HEADER.lower(), "")
        expected = (words.signature(self._token, url, pairs) for url in words.spellings(request.url))
        if not self._token or not any(hmac.compare_digest(given.encode(), one.encode()) for one in expected):
            message = "the signature does not fit"
            raise ReportNotAuthentic(message)
        return dict(pairs)

    def _ask(self, path: str, form: list[tuple[str, str]]) -> Mapping[str, Any] | Busy | Refused | Unknown:
        """Send one POST; what Twilio created, or why it did not."""
        if not self._account or not self._token:
            return words.REJECTED
        try:
            response = self._exchange(path, urlencode(form).encode())
        except NoResponse as error:
            if error.may_have_arrived:
                return Unknown(reason=str(error), health=Health.OUT_OF_REACH)
            return Busy(reason="carrier_down", retry_after=timedelta(seconds=5), health=Health.OUT_OF_REACH)
        content = _object(response.body)
        if response.status in (HTTPStatus.OK, HTTPStatus.CREATED):
            return content
        return words.not_created(response.status, content)

    def _read(self, path: str) -> Mapping[str, Any] | NotFound | CannotSay:
        if not self._account or not self._token:
            return CannotSay(reason="the line has no credentials")
        try:
            response = self._exchange(path, None)
        except NoResponse as error:
            return CannotSay(reason=str(error))
        content = _object(response.body)
        if response.status == HTTPStatus.NOT_FOUND and content.get("code") == _NO_SUCH_RESOURCE:
            return NotFound()
        if response.status != HTTPStatus.OK or not content:
            return CannotSay(reason=f"HTTP {response.status}")
        return content

    def _exchange(self, path: str, body: bytes | None) -> Response:
        secret = base64.b64encode(f"{self._account}:{self._token}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return exchange(
            f"{settings.TWILIO_API_URL}/2010-04-01/Accounts/{quote(self._account, safe='')}/{path}",
            headers=headers,
            body=body,
            seconds=self._seconds,
        )


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _clamped(timeout: timedelta) -> int:
    return max(_TIMEOUTS.start, min(int(timeout.total_seconds()), _TIMEOUTS.stop - 1))

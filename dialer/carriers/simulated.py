"""The adapter for the simulated carrier: HTTP requests with a bearer secret, signed reports in return.

Never repeats a request, because a request that failed may have arrived.
"""

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.conf import settings

from dialer.carriers import reading
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
from dialer.carriers.simulation.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature
from dialer.rules.statuses import Outcome

if TYPE_CHECKING:
    from dialer.models import Line

log = logging.getLogger(__name__)

TOLERANCE: Final = timedelta(minutes=5)
"""How far a report's timestamp may lie from our clock; an older report may be a replay."""
CARRIER_DOWN: Final = Busy(reason="carrier_down", retry_after=timedelta(seconds=5), health=Health.OUT_OF_REACH)
REFUSES_US: Final = Busy(
    reason="carrier_refuses_credentials", retry_after=timedelta(seconds=60), health=Health.REJECTED
)
LONGEST_WAIT: Final = timedelta(hours=1)
"""The longest wait before the carrier is asked again, even if it demands more."""

_LONGEST_REASON: Final = 200


class SimulatedCarrier:
    """The adapter for the installation's own carrier; address and secret are settings, the same for every line."""

    credential_names: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        line: "Line",  # noqa: ARG002 — the protocol's
        *,
        seconds: float = DEADLINE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base_url: str = settings.SIMULATED_CARRIER_URL.rstrip("/")
        self._secret: str = settings.SIMULATED_CARRIER_SECRET
        self._seconds = seconds
        self._clock = clock

    def place(self, request: PlaceRequest) -> Answer:
        """Request a call once; returns ``Unknown`` if the carrier may have taken it without an answer."""
        try:
            response = self._request(
                "/calls",
                {
                    "call_id": str(request.call_id),
                    "public_id": request.public_id,
                    "to": request.to,
                    "caller_id": request.caller_id,
                    "ring_timeout_seconds": request.ring_timeout.total_seconds(),
                    "max_duration_seconds": request.max_duration.total_seconds(),
                    "persona_endpoint": request.persona_endpoint,
                },
            )
        except NoResponse as error:
            return _no_answer(error)
        return _answer(response.status, _object(response.body))

    def look_up(self, call: HandedOver) -> LookUp:
        """Look up a call by our id. Only the carrier's own body means "not found": a proxy's 404 says nothing."""
        try:
            response = self._request(f"/calls/{call.call_id}")
        except NoResponse as error:
            return CannotSay(reason=str(error))
        body = _object(response.body)
        if response.status == HTTPStatus.NOT_FOUND and body.get("not_found") is True:
            return NotFound()
        if response.status >= HTTPStatus.BAD_REQUEST or not isinstance(body.get("is_live"), bool):
            return CannotSay(reason=f"HTTP {response.status}")
        return Found(reports=reading.of_call(call.call_id, self._reports(body)), is_live=body["is_live"])

    def hang_up(self, call: HandedOver) -> None:
        """Request the end of a call; only logs a failure, because the carrier's report tells whether the call ended."""
        try:
            response = self._request(f"/calls/{call.call_id}/hang-up", {})
        except NoResponse as error:
            log.warning("carrier.hang_up_failed call=%s error=%s", call.call_id, error)
            return
        if response.status >= HTTPStatus.BAD_REQUEST:
            log.warning("carrier.hang_up_failed call=%s error=HTTP %s", call.call_id, response.status)

    def parse_reports(self, request: ReportRequest) -> list[Report]:
        """Return the reports of a signed request; logs and leaves out those that are not understood."""
        return self._reports(self._authentic(request))

    def send(self, request: SendRequest) -> SendAnswer:
        """Request a message once; returns ``Unknown`` if the carrier may have taken it without an answer."""
        asked = {
            "message_id": str(request.message_id),
            "public_id": request.public_id,
            "to": request.to,
            "from": request.caller_id,
            "body": request.body,
        }
        try:
            response = self._request("/messages", asked)
        except NoResponse as error:
            return _no_answer(error)
        content = _object(response.body)
        match response.status, content:
            case 201, {"carrier_message_id": str(carrier_message_id)} if carrier_message_id:
                return Sent(
                    carrier_message_id=reading.identifier(carrier_message_id),
                    segments=reading.segments(content.get("segments")),
                )
            case 422, {"reason": str()}:
                return Refused(outcome=Outcome.INVALID_NUMBER, reason=_reason(content, ""))
            case status, _:
                return _not_taken(status, content)

    def parse_messages(self, request: ReportRequest) -> list[MessageReport]:
        """Return the reports about messages of a signed request, as :meth:`parse_reports` does for calls."""
        content = self._authentic(request)
        return reading.message_reports(content, now=datetime.fromtimestamp(self._clock(), UTC))

    def _authentic(self, request: ReportRequest) -> Mapping[str, Any]:
        given = {name.lower(): value for name, value in request.headers.items()}
        timestamp = given.get(TIMESTAMP_HEADER.lower(), "")
        expected = signature(self._secret, timestamp, request.body)
        if not self._secret or not hmac.compare_digest(
            given.get(SIGNATURE_HEADER.lower(), "").encode(), expected.encode()
        ):
            message = "the signature does not fit"
            raise ReportNotAuthentic(message)
        if not timestamp.isdecimal() or abs(self._clock() - int(timestamp)) > TOLERANCE.total_seconds():
            message = "the timestamp is too far from our clock"
            raise ReportNotAuthentic(message)
        content = _object(request.body)
        if not content:
            log.warning("carrier.reports_not_understood bytes=%s", len(request.body))
        return content

    def _reports(self, content: Mapping[str, Any]) -> list[Report]:
        return reading.reports(content, now=datetime.fromtimestamp(self._clock(), UTC))

    def _request(self, path: str, body: Mapping[str, object] | None = None) -> Response:
        return exchange(
            self._base_url + path,
            headers={"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"},
            body=None if body is None else json.dumps(body).encode(),
            seconds=self._seconds,
        )


def _no_answer(error: NoResponse) -> Busy | Unknown:
    if not error.may_have_arrived:
        return CARRIER_DOWN
    return Unknown(reason=str(error), health=Health.OUT_OF_REACH)


def _answer(status: int, body: Mapping[str, Any]) -> Answer:
    match status, body:
        case ((200 | 201 | 202), {"carrier_call_id": str(carrier_call_id)}) if carrier_call_id:
            return Accepted(carrier_call_id=reading.identifier(carrier_call_id))
        case 422, {"outcome": str(outcome)}:
            return Refused(outcome=reading.outcome(outcome), reason=_reason(body, ""))
        case _:
            return _not_taken(status, body)


def _not_taken(status: int, body: Mapping[str, Any]) -> Busy | Unknown:
    match status, body:
        case ((429 | 503), {"not_accepted": True}):
            health = Health.ALIVE if status < HTTPStatus.INTERNAL_SERVER_ERROR else Health.OUT_OF_REACH
            return Busy(reason=_reason(body, "carrier_busy"), retry_after=_wait(body.get("retry_after")), health=health)
        case 401, _:
            return REFUSES_US
        case 409, _:
            return Unknown(reason="the carrier has had this before", health=Health.ALIVE)
        case _:
            is_its_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
            health = Health.OUT_OF_REACH if is_its_fault else Health.UNSAID
            return Unknown(reason=f"HTTP {status}", health=health)


def _reason(body: Mapping[str, Any], default: str) -> str:
    return reading.text(body.get("reason"), longest=_LONGEST_REASON) or default


def _wait(seconds: object) -> timedelta:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds >= 0:
        return CARRIER_DOWN.retry_after
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}

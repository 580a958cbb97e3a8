"""What Twilio's forms and answers say, in the words of the domain; nothing here speaks to anybody.

Calls and their reports are described in https://www.twilio.com/docs/voice/api/call-resource, codes in
https://www.twilio.com/docs/api/errors, signatures in https://www.twilio.com/docs/usage/security#validating-requests.
"""

import binascii
import hashlib
import hmac
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import escape
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import UUID

from dialer.carriers import reading
from dialer.carriers.base import (
    Busy,
    CannotSay,
    Found,
    HandedOver,
    Health,
    LookUp,
    MessageReport,
    PlaceRequest,
    Refused,
    Report,
    Unknown,
)
from dialer.rules.phone_number import is_dialable
from dialer.rules.statuses import Outcome

log = logging.getLogger(__name__)

_NO_SUCH_NUMBER: Final = frozenset({13223, 13224, 21211, 21217, 21614})
_NOT_FROM_US: Final = frozenset({20003, 21210, 21212, 21213, 21606})
"""Codes of https://www.twilio.com/docs/api/errors about our account and our caller id."""
_CODES_OF_SIP: Final = {
    "404": Outcome.INVALID_NUMBER,
    "410": Outcome.INVALID_NUMBER,
    "484": Outcome.INVALID_NUMBER,
    "604": Outcome.INVALID_NUMBER,
    "603": Outcome.DECLINED,
}
_OUTCOMES: Final = {
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "canceled": Outcome.CANCELLED,
    "failed": Outcome.NETWORK_ERROR,
}
_LIVE: Final = frozenset({"queued", "initiated", "ringing", "in-progress"})
REJECTED: Final = Busy(reason="carrier_refuses_credentials", retry_after=timedelta(seconds=60), health=Health.REJECTED)
"""Nothing is wrong with the number: account or caller id have to be mended first."""


def signature(token: str, url: str, pairs: list[tuple[str, str]]) -> str:
    """Sign an address and a form as Twilio does: HMAC-SHA1 over the URL and the sorted names with their values."""
    # A name that comes twice counts once per different value, in order.
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    return binascii.b2a_base64(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest(), newline=False).decode()


def spellings(url: str) -> set[str]:
    """Return the address with and without the scheme's own port: Twilio has signed either."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    if usual is None or parts.port not in (None, usual):
        return {url}
    return {url, urlunsplit(parts._replace(netloc=host)), urlunsplit(parts._replace(netloc=f"{host}:{usual}"))}


def what_is_said(request: PlaceRequest) -> tuple[str, str] | None:
    """Return the parameter that connects the call to its persona; ``None`` where Twilio cannot reach the endpoint."""
    endpoint = request.persona_endpoint.strip()
    scheme = urlsplit(endpoint).scheme.lower()
    if scheme in ("http", "https"):
        return "Url", endpoint
    if scheme in ("sip", "sips"):
        return "Twiml", f"<Response><Dial><Sip>{escape(endpoint)}</Sip></Dial></Response>"
    if scheme == "wss":
        ours = f'<Parameter name="call_id" value="{escape(request.public_id)}"/>'
        return "Twiml", f'<Response><Connect><Stream url="{escape(endpoint)}">{ours}</Stream></Connect></Response>'
    if is_dialable(endpoint):
        return "Twiml", f"<Response><Dial><Number>{escape(endpoint)}</Number></Dial></Response>"
    return None


def not_created(status: int, content: Mapping[str, Any]) -> Busy | Refused | Unknown:
    """Tell why Twilio created nothing; after an error of its own, nobody knows whether it did."""
    code = content.get("code")
    said = reading.text(content.get("message"), longest=reading.LONGEST_REASON) or f"HTTP {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy(reason="carrier_busy", retry_after=timedelta(seconds=1))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unknown(reason=f"HTTP {status}", health=Health.OUT_OF_REACH)
    if status < HTTPStatus.BAD_REQUEST or not isinstance(code, int):
        return Unknown(reason=f"HTTP {status}")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or code in _NOT_FROM_US:
        log.warning("carrier.rejected code=%s", code)
        return REJECTED
    outcome = Outcome.INVALID_NUMBER if code in _NO_SUCH_NUMBER else Outcome.NETWORK_ERROR
    return Refused(outcome=outcome, reason=said)


def report(form: Mapping[str, str], call_id: UUID | None, *, now: datetime) -> Report | None:
    """Return the report in a form, ``None`` if it says nothing of the person called; raises ``ValueError``."""
    status, sid = form.get("CallStatus", ""), reading.identifier(form.get("CallSid"))
    at = reading.within(_moment(form.get("Timestamp")) or now, now=now)
    is_inbound = form.get("Direction") == "inbound"
    if not is_inbound and call_id is None:
        message = "a report that names no call of ours"
        raise ValueError(message)
    step: dict[str, Any] | None = _step(status, form.get("AnsweredBy", ""), form.get("SipResponseCode", ""))
    if step is None:
        return None
    return Report(
        event_id=f"{sid}:{status}",
        call_id=None if is_inbound else call_id,
        carrier_call_id=sid,
        occurred_at=at,
        duration_seconds=_seconds(form.get("CallDuration")) if step["kind"] == "ended" else None,
        recording_url=reading.url(form.get("RecordingUrl")),
        direction="inbound" if is_inbound else "outbound",
        from_number=reading.text(form.get("From"), longest=reading.LONGEST_NUMBER) if is_inbound else None,
        to_number=reading.text(form.get("To"), longest=reading.LONGEST_NUMBER) if is_inbound else None,
        raw=reading.raw(form),
        **step,
    )


def of_resource(call: HandedOver, resource: Mapping[str, Any], *, now: datetime) -> LookUp:
    """Return what a call resource says, under the ids that reports of it have."""
    status = str(resource.get("status", ""))
    try:
        sid = reading.identifier(resource.get("sid"))
    except ValueError as error:
        return CannotSay(reason=str(error))
    step = _step(status, str(resource.get("answered_by") or ""), "")
    is_live = status in _LIVE
    if step is None and not is_live:
        return CannotSay(reason="a status that is not known")
    ended_at = _moment(resource.get("end_time")) or now
    seconds = _seconds(resource.get("duration"))
    steps: list[tuple[dict[str, Any], datetime, str]] = []
    if step is not None:
        steps.append((step, ended_at if not is_live else now, status))
    if status == "completed" and seconds is not None:
        steps.insert(0, ({"kind": "answered"}, ended_at - timedelta(seconds=seconds), "in-progress"))
    return Found(
        is_live=is_live,
        reports=[
            Report(
                event_id=f"{sid}:{name}",
                call_id=call.call_id,
                carrier_call_id=sid,
                occurred_at=reading.within(at, now=now),
                duration_seconds=seconds if each["kind"] == "ended" else None,
                raw=reading.raw(resource),
                **each,
            )
            for each, at, name in steps
        ],
    )


def message_report(form: Mapping[str, str], message_id: UUID | None, *, now: datetime) -> MessageReport | None:
    """Return the final report in a form about a message, or the message that came in; raises ``ValueError``."""
    sid = reading.identifier(form.get("MessageSid") or form.get("SmsSid"))
    match form.get("MessageStatus") or form.get("SmsStatus") or "", message_id:
        case "received", _:
            return MessageReport(
                kind="received",
                message_id=None,
                carrier_message_id=sid,
                occurred_at=now,
                from_number=reading.text(form.get("From"), longest=reading.LONGEST_NUMBER) or "",
                to_number=reading.text(form.get("To"), longest=reading.LONGEST_NUMBER) or "",
                body=reading.text(form.get("Body"), longest=reading.LONGEST_MESSAGE) or "",
            )
        case (("delivered" | "read"), UUID()):
            return MessageReport(kind="delivered", message_id=message_id, carrier_message_id=sid, occurred_at=now)
        case ("failed" | "undelivered" | "canceled") as status, UUID():
            code = reading.text(form.get("ErrorCode"), longest=10)
            return MessageReport(
                kind="failed",
                message_id=message_id,
                carrier_message_id=sid,
                occurred_at=now,
                reason=f"{status} ({code})" if code else status,
            )
        case _:
            return None


def is_since(resource: Mapping[str, Any], at: datetime) -> bool:
    created = _moment(resource.get("date_created"))
    return created is not None and created >= at.replace(microsecond=0)


def id_in(url: str, name: str) -> UUID | None:
    given = parse_qs(urlsplit(url).query).get(name)
    return UUID(given[0]) if given else None


def _step(status: str, answered_by: str, sip_code: str) -> dict[str, Any] | None:
    """Return kind and outcome for a status; ``None`` for one that says nothing of the person called."""
    is_machine = answered_by.startswith(("machine", "fax"))
    match status:
        case "ringing":
            return {"kind": "ringing"}
        case "in-progress":
            return {"kind": "machine" if is_machine else "answered"}
        case "completed":
            return {"kind": "ended", "outcome": Outcome.VOICEMAIL if is_machine else Outcome.ANSWERED}
        case "busy" | "no-answer" | "canceled" | "failed":
            return {"kind": "ended", "outcome": _CODES_OF_SIP.get(sip_code, _OUTCOMES[status])}
        case _:
            return None


def _moment(value: object) -> datetime | None:
    """Read a time in the form of RFC 2822, as Twilio writes all of them."""
    try:
        moment = parsedate_to_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _seconds(value: object) -> int | None:
    return reading.seconds(int(value)) if isinstance(value, str) and value.isdecimal() else None

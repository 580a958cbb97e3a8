"""Converts what a carrier sends into values that the database can store.

A flawed report about a call is still worth keeping: values that cannot be stored are cut or replaced, and stay
readable in the raw evidence. Only a report without an event id, a call or a time is useless.
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, get_args
from urllib.parse import urlsplit
from uuid import UUID

from dialer.carriers.base import MessageReport, Report
from dialer.rules.statuses import Outcome
from dialer.workspaces.storable import object_error, text_error

log = logging.getLogger(__name__)

LONGEST_ID: Final = 100
LONGEST_TRANSCRIPT: Final = 1_000_000
LONGEST_URL: Final = 2_000
LONGEST_NUMBER: Final = 32
LONGEST_MESSAGE: Final = 10_000
LONGEST_REASON: Final = 200
MOST_SEGMENTS: Final = 1_000
LONGEST_TALK: Final = timedelta(days=7)
LONGEST_RAW: Final = 100_000
"""Characters to keep of a report that is stored as text because it cannot be stored as JSON."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(minutes=5)
"""How far a carrier's clock may be ahead; times beyond that, or before :data:`EARLIEST`, are replaced by now."""
ENDED_REASONS: Final = frozenset(
    {
        "agent_hangup",
        "busy",
        "cancelled",
        "contact_hangup",
        "declined",
        "dnc_request",
        "invalid_number",
        "max_duration",
        "network_error",
        "no_answer",
        "unknown",
        "voicemail",
    }
)

_Read = TypeVar("_Read")
_MESSAGE_KINDS: Final = frozenset(get_args(MessageReport.__annotations__["kind"]))
_KINDS: Final = frozenset(get_args(Report.__annotations__["kind"]))
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_UNCLEAN: Final = re.compile("[\x00\ud800-\udfff]")
_LONGEST_SAID: Final = 200


def reports(body: Mapping[str, Any], *, now: datetime) -> list[Report]:
    """Return the reports in a request or an answer; logs and leaves out useless ones."""
    return _read(body, partial(_report, now=now))


def of_call(call_id: UUID, told: Sequence[Report]) -> list[Report]:
    """Return the reports about the call that was looked up; logs and leaves out those about other calls."""
    mine = [report for report in told if report.call_id == call_id]
    if len(mine) < len(told):
        log.warning("carrier.look_up_told_of_others call=%s reports=%s", call_id, len(told) - len(mine))
    return mine


def message_reports(body: Mapping[str, Any], *, now: datetime) -> list[MessageReport]:
    """Return the reports about text messages in a request; logs and leaves out useless ones."""
    return _read(body, partial(_message_report, now=now))


def identifier(value: object) -> str:
    """Return a carrier's id, or its digest if it is too long or cannot be stored; equal ids stay equal.

    Raises ``ValueError`` if there is none.
    """
    given = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(given, str) or not given:
        message = "an id is missing"
        raise ValueError(message)
    if text_error(given, longest=LONGEST_ID) is None:
        return given
    return f"sha256:{hashlib.sha256(given.encode(errors='surrogatepass')).hexdigest()}"


def outcome(word: object) -> str:
    """Return the outcome if it is one of ours, else ``network_error``."""
    return word if isinstance(word, str) and word in _OUTCOMES else Outcome.NETWORK_ERROR.value


def segments(value: object) -> int | None:
    """Return the number of short messages that a carrier made of one, ``None`` if it does not say."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_SEGMENTS
    return value if is_number else None  # type: ignore[return-value]


def text(value: object, *, longest: int) -> str | None:
    """Return a text without characters that cannot be stored, cut at ``longest`` characters."""
    return _UNCLEAN.sub("\N{REPLACEMENT CHARACTER}", value[:longest]) if isinstance(value, str) else None


def _read(body: Mapping[str, Any], read: Callable[[Mapping[str, Any]], _Read]) -> list[_Read]:
    given = body.get("reports")
    found = []
    for entry in given if isinstance(given, list) else []:
        try:
            found.append(read(entry))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            said = text(str(error), longest=_LONGEST_SAID)
            log.warning("carrier.report_not_understood error=%s: %s", type(error).__name__, said)
    return found


def _message_report(entry: Mapping[str, Any], *, now: datetime) -> MessageReport:
    kind = entry["kind"]
    if kind not in _MESSAGE_KINDS:
        message = f"unknown kind {kind!r}"
        raise ValueError(message)
    return MessageReport(
        kind=kind,
        message_id=None if kind == "received" else UUID(entry["message_id"]),
        carrier_message_id=identifier(entry["carrier_message_id"]),
        occurred_at=_moment(entry["occurred_at"], now=now),
        reason=text(entry.get("reason"), longest=LONGEST_REASON) or "",
        from_number=text(entry.get("from"), longest=LONGEST_NUMBER) or "",
        to_number=text(entry.get("to"), longest=LONGEST_NUMBER) or "",
        body=text(entry.get("body"), longest=LONGEST_MESSAGE) or "",
    )


def _report(entry: Mapping[str, Any], *, now: datetime) -> Report:
    kind = entry["kind"]
    if kind not in _KINDS:
        message = f"unknown kind {kind!r}"
        raise ValueError(message)
    told = entry.get("outcome")
    is_inbound = entry.get("direction") == "inbound"
    return Report(
        kind=kind,
        event_id=identifier(entry["event_id"]),
        call_id=None if is_inbound else UUID(entry["call_id"]),
        carrier_call_id=identifier(entry["carrier_call_id"]),
        occurred_at=_moment(entry["occurred_at"], now=now),
        outcome=None if told is None else outcome(told),
        ended_reason=_ended_reason(entry.get("ended_reason"), told),
        duration_seconds=seconds(entry.get("duration_seconds")),
        transcript=text(entry.get("transcript"), longest=LONGEST_TRANSCRIPT),
        recording_url=url(entry.get("recording_url")),
        direction="inbound" if is_inbound else "outbound",
        from_number=text(entry.get("from"), longest=LONGEST_NUMBER) if is_inbound else None,
        to_number=text(entry.get("to"), longest=LONGEST_NUMBER) if is_inbound else None,
        raw=raw(entry),
    )


def _moment(value: str, *, now: datetime) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        message = "a time without a zone"
        raise ValueError(message)
    return within(moment, now=now)


def within(moment: datetime, *, now: datetime) -> datetime:
    """Return the time that a carrier gives, or ``now`` if it cannot be true."""
    return moment if EARLIEST <= moment <= now + AHEAD else now


def _ended_reason(word: object, told: object) -> str | None:
    """Return the reason if it is known; an unknown one adds nothing to the outcome."""
    if word is None:
        return None
    known = (candidate for candidate in (word, told) if isinstance(candidate, str) and candidate in ENDED_REASONS)
    return next(known, Outcome.UNKNOWN.value)


def seconds(value: object) -> int | None:
    """Return a duration in whole seconds; ``None`` if it cannot be one."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value <= LONGEST_TALK.total_seconds() else None


def url(value: object) -> str | None:
    """Return an address of the web; ``None`` for anything else."""
    if not isinstance(value, str) or text_error(value, longest=LONGEST_URL):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def raw(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the report as it came; if it cannot be stored, its JSON as a text, in which NUL is an escape sequence."""
    reason = object_error(entry)
    return entry if reason is None else {"not_kept_as_json": reason, "as_sent": json.dumps(entry)[:LONGEST_RAW]}

"""What a carrier says, read so that the database can keep it.

A report that says something about a call is worth more than its flaws: what cannot be kept is cut or replaced, and
stays readable in the raw evidence. Only what names no event, no call or no time is of no use.
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args
from urllib.parse import urlsplit
from uuid import UUID

from dialer.carriers.base import Report
from dialer.rules.statuses import Outcome
from dialer.rules.storable import why_not_object, why_not_text

log = logging.getLogger(__name__)

LONGEST_ID: Final = 100
LONGEST_TRANSCRIPT: Final = 1_000_000
LONGEST_URL: Final = 2_000
LONGEST_NUMBER: Final = 32
LONGEST_TALK: Final = timedelta(days=7)
LONGEST_RAW: Final = 100_000
"""Characters of a report that are kept as text where it cannot be kept as JSON."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(minutes=5)
"""How far a carrier's clock may be ahead of ours; what is later, or before :data:`EARLIEST`, happened now."""
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

_KINDS: Final = frozenset(get_args(Report.__annotations__["kind"]))
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_UNCLEAN: Final = re.compile("[\x00\ud800-\udfff]")
_LONGEST_SAID: Final = 200


def reports(body: Mapping[str, Any], *, now: datetime) -> list[Report]:
    """Return the reports in a request or an answer; one that is of no use is logged and left out."""
    given = body.get("reports")
    read = []
    for entry in given if isinstance(given, list) else []:
        try:
            read.append(_report(entry, now=now))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            said = text(str(error), longest=_LONGEST_SAID)
            log.warning("carrier.report_not_understood error=%s: %s", type(error).__name__, said)
    return read


def identifier(value: object) -> str:
    """Return a carrier's id, or a digest of one that is too long or cannot be kept: equal ids stay equal.

    Raises ``ValueError`` where there is none.
    """
    given = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(given, str) or not given:
        message = "an id that is none"
        raise ValueError(message)
    if why_not_text(given, longest=LONGEST_ID) is None:
        return given
    return f"sha256:{hashlib.sha256(given.encode(errors='surrogatepass')).hexdigest()}"


def outcome(word: object) -> str:
    """Keep the carrier's word where it is one of ours; a fault of the network is what is left."""
    return word if isinstance(word, str) and word in _OUTCOMES else Outcome.NETWORK_ERROR.value


def text(value: object, *, longest: int) -> str | None:
    """Return a text without what cannot be kept, cut at ``longest`` characters."""
    return _UNCLEAN.sub("\N{REPLACEMENT CHARACTER}", value[:longest]) if isinstance(value, str) else None


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
        duration_seconds=_seconds(entry.get("duration_seconds")),
        transcript=text(entry.get("transcript"), longest=LONGEST_TRANSCRIPT),
        recording_url=_url(entry.get("recording_url")),
        direction="inbound" if is_inbound else "outbound",
        from_number=text(entry.get("from"), longest=LONGEST_NUMBER) if is_inbound else None,
        to_number=text(entry.get("to"), longest=LONGEST_NUMBER) if is_inbound else None,
        raw=_raw(entry),
    )


def _moment(value: str, *, now: datetime) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        message = "a time without a zone"
        raise ValueError(message)
    return moment if EARLIEST <= moment <= now + AHEAD else now


def _ended_reason(word: object, told: object) -> str | None:
    """Keep a word that is known; the outcome says as much as one that is not."""
    if word is None:
        return None
    known = (candidate for candidate in (word, told) if isinstance(candidate, str) and candidate in ENDED_REASONS)
    return next(known, Outcome.UNKNOWN.value)


def _seconds(value: object) -> int | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return int(value) if 0 <= value <= LONGEST_TALK.total_seconds() else None


def _url(value: object) -> str | None:
    if not isinstance(value, str) or why_not_text(value, longest=LONGEST_URL):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def _raw(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a report as it came, or its JSON as a text, in which NUL is an escape that can be kept and read."""
    reason = why_not_object(entry)
    return entry if reason is None else {"not_kept_as_json": reason, "as_sent": json.dumps(entry)[:LONGEST_RAW]}

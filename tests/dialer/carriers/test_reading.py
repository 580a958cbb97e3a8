"""Reports that no database could keep as they came: they are kept as far as they say something."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dialer.carriers import reading
from dialer.carriers.base import Report
from dialer.dialing import carrier_reports
from dialer.models import CarrierEvent

NOW = datetime(2025, 3, 12, 10, 5, tzinfo=UTC)
CALL_ID = UUID("01957a3c-0000-7000-8000-000000000001")


def a_report(**fields: object) -> dict[str, object]:
    return {
        "kind": "ended",
        "event_id": "e-1",
        "call_id": str(CALL_ID),
        "carrier_call_id": "c-1",
        "occurred_at": "2025-03-12T10:00:00+00:00",
        "outcome": "answered",
        "ended_reason": "contact_hangup",
        "duration_seconds": 7,
        "transcript": "Hello.",
        "recording_url": "https://carrier.example/1.wav",
    } | fields


def read(**fields: object) -> Report:
    """Read a report as it arrives: what is in it has been JSON."""
    [report] = reading.reports(json.loads(json.dumps({"reports": [a_report(**fields)]})), now=NOW)
    return report


def test_a_report_without_a_flaw_is_kept_as_it_came() -> None:
    report = read()

    assert {name: getattr(report, name) for name in ("outcome", "ended_reason", "duration_seconds")} == {
        "outcome": "answered",
        "ended_reason": "contact_hangup",
        "duration_seconds": 7,
    }
    assert (report.event_id, report.carrier_call_id, report.transcript) == ("e-1", "c-1", "Hello.")
    assert report.recording_url == "https://carrier.example/1.wav"
    assert report.raw == a_report()


@pytest.mark.parametrize(
    "flaw",
    [
        {"transcript": "before\0after"},
        {"transcript": "half \ud800 a pair"},
        {"transcript": ["no", "text"]},
        {"transcript": "x" * 2_000_000},
        {"event_id": "e" * 101},
        {"event_id": "e\0"},
        {"event_id": "\udfff"},
        {"carrier_call_id": "c" * 101},
        {"carrier_call_id": "\0"},
        {"ended_reason": "r" * 33},
        {"ended_reason": "\0"},
        {"ended_reason": {"code": 16}},
        {"outcome": ["answered"]},
        {"outcome": "\0"},
        {"duration_seconds": -1},
        {"duration_seconds": 1e400},
        {"duration_seconds": float("nan")},
        {"duration_seconds": 10**30},
        {"duration_seconds": "long"},
        {"recording_url": "https://carrier.example/\0"},
        {"recording_url": 7},
        {"occurred_at": "9999-12-31T23:59:59-12:00"},
        {"occurred_at": "0001-01-01T00:00:00+12:00"},
        {"vendor": {"\0": "\ud800", "load": float("-inf")}},
        {"vendor": "x" * 1_000_000},
    ],
)
@pytest.mark.django_db
def test_a_flaw_keeps_neither_its_report_nor_the_others_from_being_stored_and_applied(flaw: dict[str, Any]) -> None:
    other = reading.reports({"reports": [a_report(event_id="e-2")]}, now=NOW)

    stored = carrier_reports.store("simulated", [read(**flaw), *other])
    applied = carrier_reports.apply_stored(limit=10, now=NOW)

    assert (stored, applied) == (2, 2)
    assert set(CarrierEvent.objects.values_list("call_id", "note")) == {(CALL_ID, "no such call")}


def test_a_nul_in_a_transcript_is_replaced_and_the_evidence_shows_it() -> None:
    report = read(transcript="before\0after")

    assert report.transcript == "before\N{REPLACEMENT CHARACTER}after"
    assert "before\\u0000after" in report.raw["as_sent"]
    assert "NUL" in report.raw["not_kept_as_json"]


def test_ids_that_are_too_long_stay_apart_and_a_repeated_one_stays_known() -> None:
    ids = [read(event_id="e" * 200 + end).event_id for end in ("1", "2", "1")]

    assert ids[0] == ids[2] != ids[1]
    assert max(map(len, ids)) <= reading.LONGEST_ID


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"outcome": "busy", "ended_reason": "line melted"}, "busy"),
        ({"outcome": "answered", "ended_reason": "line melted"}, "unknown"),
        ({"outcome": "answered", "ended_reason": "max_duration"}, "max_duration"),
        ({"outcome": "busy", "ended_reason": None}, None),
    ],
)
def test_a_reason_that_is_no_word_of_ours_gives_way_to_the_outcome(told: dict[str, object], kept: str | None) -> None:
    assert read(**told).ended_reason == kept


@pytest.mark.parametrize("seconds", [-1, float("inf"), 10**30, True, "long", []])
def test_a_duration_that_cannot_be_is_not_known(seconds: object) -> None:
    assert read(duration_seconds=seconds).duration_seconds is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://", "https://[", "u" * 2001, "https://a/" + "b" * 2000])
def test_an_address_that_leads_nowhere_is_not_one(url: str) -> None:
    assert read(recording_url=url).recording_url is None


@pytest.mark.parametrize(
    ("ahead", "kept"),
    [
        (timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(minutes=6), timedelta(0)),
        (timedelta(days=-365), timedelta(days=-365)),
        (timedelta(days=-365 * 100), timedelta(0)),
    ],
)
def test_what_happened_at_a_time_that_cannot_be_happened_now(ahead: timedelta, kept: timedelta) -> None:
    assert read(occurred_at=(NOW + ahead).isoformat()).occurred_at == NOW + kept


def test_what_is_of_no_use_is_named_in_a_short_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    body: Mapping[str, Any] = {"reports": [a_report(kind="k\0" * 100_000), a_report()]}

    assert len(reading.reports(body, now=NOW)) == 1

    [line] = caplog.messages
    assert line.startswith("carrier.report_not_understood error=ValueError: unknown kind")
    assert len(line) < 300

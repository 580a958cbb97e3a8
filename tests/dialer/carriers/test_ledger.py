"""The carrier's ledger as a file."""

import resource
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dialer.carriers.simulation.ledger import HangUp, Ledger, Place, entries, places


def a_place(call_id: str) -> Place:
    return Place(
        at=datetime(2025, 3, 12, 10, 0, 0, 250_000, tzinfo=UTC),
        call_id=call_id,
        public_id="call_1",
        to="+493012340000",
        accepted=True,
        reason="",
        nth=0,
        ring_timeout_seconds=30.0,
        max_duration_seconds=600.0,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "ledger.jsonl"


def test_what_is_written_is_read_again_in_its_order(path: Path) -> None:
    written = [a_place("b"), a_place("a"), a_place("b")]

    with Ledger(path) as ledger:
        for place in written:
            ledger.write(place)

    assert places(path) == written


def test_a_ledger_that_is_opened_again_keeps_what_it_has(path: Path) -> None:
    for call_id in ("a", "b"):
        with Ledger(path) as ledger:
            ledger.write(a_place(call_id))

    assert [place.call_id for place in places(path)] == ["a", "b"]


def test_no_file_is_an_empty_ledger(path: Path) -> None:
    assert places(path) == []


def test_a_line_that_was_cut_short_is_left_out_and_does_not_spoil_the_next(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.write(a_place("a"))
    with path.open("a") as file:
        file.write('{"at": "2025-03-')

    before = places(path)
    with Ledger(path) as ledger:
        ledger.write(a_place("b"))

    assert [place.call_id for place in before] == ["a"]
    assert [place.call_id for place in places(path)] == ["a", "b"]


def test_a_damaged_line_in_the_middle_is_not_passed_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"at": broken}\n')

    with pytest.raises(ValueError, match="Expecting value"):
        places(path)


def test_a_hang_up_is_no_request_to_place_a_call(path: Path) -> None:
    hang_up = HangUp(at=datetime(2025, 3, 12, 10, 1, tzinfo=UTC), call_id="a")

    with Ledger(path) as ledger:
        ledger.write(a_place("a"))
        ledger.write(hang_up)

    assert entries(path) == [a_place("a"), hang_up]
    assert places(path) == [a_place("a")]


@pytest.mark.parametrize("size", [0, 1, 3_000])
def test_what_was_written_since_a_time_is_found_wherever_it_stands(path: Path, size: int) -> None:
    begin = a_place("0").at
    written = [replace(a_place(str(n)), at=begin + timedelta(seconds=n // 3)) for n in range(size)]
    with Ledger(path) as ledger:
        for place in written:
            ledger.write(place)

        for seconds in (-1.0, 0.0, 0.5, size / 6, size / 3 - 1, size / 3 + 1):
            since = begin + timedelta(seconds=seconds)
            expected = [place for place in written if place.at >= since]
            assert ledger.since(since, limit=5_000) == expected
            assert ledger.since(since, limit=2) == expected[:2]


def test_what_is_written_after_a_reading_is_found_by_the_next(path: Path) -> None:
    with Ledger(path) as ledger:
        before = ledger.since(a_place("a").at, limit=10)
        ledger.write(a_place("a"))

        assert (before, ledger.since(a_place("a").at, limit=10)) == ([], [a_place("a")])


def test_an_entry_is_found_again_where_it_was_written(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.write(a_place("a"))
    with Ledger(path) as ledger:
        begins_at = ledger.write(a_place("b"))
        ledger.write(a_place("c"))

        assert ledger.read(begins_at) == a_place("b")
        assert [(ledger.read(line), entry) for line, entry in list(ledger.entries())] == [
            (a_place(call_id), a_place(call_id)) for call_id in "abc"
        ]


def test_a_line_that_does_not_fit_leaves_nothing_behind(path: Path) -> None:
    whole = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger(path) as ledger:
        ledger.write(a_place("a"))
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, whole[1]))
        try:
            with pytest.raises(OSError, match="No space left"):
                ledger.write(a_place("b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, whole)
            signal.signal(signal.SIGXFSZ, handler)
        ledger.write(a_place("c"))

    assert [place.call_id for place in places(path)] == ["a", "c"]

"""What holds of every carrier's adapter, whatever stands behind it.

An adapter's test module makes a class of this one, with a fixture ``laboratory`` that has the carrier at hand.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import pytest

from dialer.carriers.base import (
    Accepted,
    Answer,
    Busy,
    CannotSay,
    Carrier,
    Found,
    HandedOver,
    NotFound,
    PlaceRequest,
    Refused,
    ReportNotAuthentic,
    ReportRequest,
    Unknown,
)
from dialer.rules.statuses import Outcome
from dialer.workspaces.ids import new_id, public_id


class Laboratory(Protocol):
    """A real carrier that does what a test needs."""

    carrier: Carrier

    def number_that(self, does: str) -> str:
        """Return a number that ``answers``, ``is busy``, ``talks on``, ``does not exist`` or ``is silent``.

        A silent one is accepted, and the answer to the request never comes.
        """
        ...

    def times_asked(self, call_id: UUID) -> int:
        """Return how many requests to place a call have reached the carrier, by its own account."""
        ...

    def fill(self) -> None:
        """Let the carrier have no room for a further call."""
        ...

    def take_away(self) -> None:
        """Let nobody listen where the carrier was."""
        ...

    def deliveries_until_end_of(self, call_id: UUID) -> list[ReportRequest]:
        """Return what the carrier sent until it reported the call's end."""
        ...


def a_request(number: str, call_id: UUID | None = None) -> PlaceRequest:
    call_id = call_id or new_id()
    return PlaceRequest(
        call_id=call_id,
        public_id=public_id("call", call_id),
        to=number,
        caller_id="+493012345678",
        ring_timeout=timedelta(seconds=30),
        max_duration=timedelta(minutes=10),
        persona_endpoint="sip:agent@voice.example",
    )


class CarrierConformance:
    def test_a_call_that_is_placed_is_accepted_and_found_by_our_id(self, laboratory: Laboratory) -> None:
        request, answer = place(laboratory, "answers")

        found = laboratory.carrier.look_up(handed_over(request, answer))

        assert isinstance(answer, Accepted)
        assert isinstance(found, Found)
        assert answer.carrier_call_id
        assert all(report.carrier_call_id == answer.carrier_call_id for report in found.reports)

    def test_a_number_that_does_not_exist_is_refused_with_an_outcome_of_ours(self, laboratory: Laboratory) -> None:
        request, answer = place(laboratory, "does not exist")

        assert isinstance(answer, Refused)
        assert answer.outcome == Outcome.INVALID_NUMBER
        assert laboratory.carrier.look_up(handed_over(request)) == NotFound()

    def test_a_call_whose_answer_never_came_is_asked_for_once_and_found(self, laboratory: Laboratory) -> None:
        request, answer = place(laboratory, "is silent")

        found = laboratory.carrier.look_up(handed_over(request))

        assert isinstance(answer, Unknown)
        assert isinstance(found, Found)
        assert laboratory.times_asked(request.call_id) == 1

    def test_a_full_carrier_is_busy_and_has_not_taken_the_call(self, laboratory: Laboratory) -> None:
        laboratory.fill()

        request, answer = place(laboratory, "answers")

        assert isinstance(answer, Busy)
        assert answer.retry_after > timedelta(0)
        assert laboratory.carrier.look_up(handed_over(request)) == NotFound()

    def test_a_carrier_that_nobody_answers_for_is_down_and_cannot_say(self, laboratory: Laboratory) -> None:
        laboratory.take_away()

        request, answer = place(laboratory, "answers")
        found = laboratory.carrier.look_up(handed_over(request))

        assert isinstance(answer, Busy)
        assert answer.reason == "carrier_down"
        assert isinstance(found, CannotSay)
        assert laboratory.times_asked(request.call_id) == 0

    def test_a_call_that_was_never_placed_is_not_found(self, laboratory: Laboratory) -> None:
        assert laboratory.carrier.look_up(handed_over(new_id())) == NotFound()

    def test_reports_name_our_call_and_end_with_an_outcome_of_ours(self, laboratory: Laboratory) -> None:
        request, _ = place(laboratory, "answers")

        reports = [
            report
            for delivery in laboratory.deliveries_until_end_of(request.call_id)
            for report in laboratory.carrier.parse_reports(delivery)
        ]

        assert [report.kind for report in reports] == ["ringing", "answered", "ended"]
        assert {report.call_id for report in reports} == {request.call_id}
        assert len({report.event_id for report in reports}) == len(reports)
        assert all(report.occurred_at.utcoffset() is not None for report in reports)
        assert [report.occurred_at for report in reports] == sorted(report.occurred_at for report in reports)
        assert reports[-1].outcome == Outcome.ANSWERED
        assert reports[-1].duration_seconds
        assert reports[-1].recording_url

    def test_a_busy_line_ends_without_an_answer(self, laboratory: Laboratory) -> None:
        request, _ = place(laboratory, "is busy")

        last = laboratory.deliveries_until_end_of(request.call_id)[-1]
        end = laboratory.carrier.parse_reports(last)[-1]

        assert (end.kind, end.outcome, end.duration_seconds) == ("ended", Outcome.BUSY, None)

    def test_a_look_up_after_the_end_tells_what_was_reported_under_the_same_ids(self, laboratory: Laboratory) -> None:
        request, answer = place(laboratory, "answers")
        reported = [
            report
            for delivery in laboratory.deliveries_until_end_of(request.call_id)
            for report in laboratory.carrier.parse_reports(delivery)
        ]

        found = laboratory.carrier.look_up(handed_over(request, answer))

        assert isinstance(found, Found)
        assert not found.is_live
        assert {report.event_id for report in found.reports} <= {report.event_id for report in reported}
        last, told = found.reports[-1], reported[-1]
        assert (last.event_id, last.outcome, last.duration_seconds) == (
            told.event_id,
            told.outcome,
            told.duration_seconds,
        )

    def test_a_look_up_tells_of_the_call_asked_about_and_of_no_other(self, laboratory: Laboratory) -> None:
        placed = [place(laboratory, "answers"), place(laboratory, "answers")]
        for request, _ in placed:
            laboratory.deliveries_until_end_of(request.call_id)

        found = [laboratory.carrier.look_up(handed_over(request, answer)) for request, answer in placed]

        assert [{report.call_id for report in each.reports} for each in found if isinstance(each, Found)] == [
            {request.call_id} for request, _ in placed
        ]

    def test_hanging_up_ends_a_live_call(self, laboratory: Laboratory) -> None:
        request, answer = place(laboratory, "talks on")
        call = handed_over(request, answer)
        before = laboratory.carrier.look_up(call)

        laboratory.carrier.hang_up(call)

        laboratory.deliveries_until_end_of(request.call_id)
        after = laboratory.carrier.look_up(call)
        assert isinstance(before, Found)
        assert before.is_live
        assert isinstance(after, Found)
        assert not after.is_live

    def test_hanging_up_where_nobody_answers_for_the_carrier_is_no_error(self, laboratory: Laboratory) -> None:
        laboratory.take_away()

        laboratory.carrier.hang_up(handed_over(new_id()))

    def test_a_report_that_was_changed_on_the_way_is_not_authentic(self, laboratory: Laboratory) -> None:
        request, _ = place(laboratory, "is busy")
        delivery = laboratory.deliveries_until_end_of(request.call_id)[-1]

        with pytest.raises(ReportNotAuthentic):
            laboratory.carrier.parse_reports(replace(delivery, body=delivery.body.replace(b"busy", b"answered")))

    def test_a_report_without_a_signature_is_not_authentic(self, laboratory: Laboratory) -> None:
        request, _ = place(laboratory, "is busy")
        delivery = laboratory.deliveries_until_end_of(request.call_id)[-1]

        with pytest.raises(ReportNotAuthentic):
            laboratory.carrier.parse_reports(replace(delivery, headers={}))


class TakesOurIds:
    """What holds of a carrier that knows a call by the id that we give it, besides."""

    def test_a_second_request_for_a_call_is_ambiguous_and_makes_no_second_call(self, laboratory: Laboratory) -> None:
        request, first = place(laboratory, "answers")

        second = laboratory.carrier.place(request)

        assert isinstance(first, Accepted)
        assert isinstance(second, Unknown)
        assert laboratory.times_asked(request.call_id) == 2


def handed_over(asked: PlaceRequest | UUID, answer: Answer | None = None) -> HandedOver:
    """Return what the engine knows of a call when it asks for it again: after a lost answer, not the carrier's id."""
    request = a_request("+493012345678", asked) if isinstance(asked, UUID) else asked
    return HandedOver(
        call_id=request.call_id,
        carrier_call_id=answer.carrier_call_id if isinstance(answer, Accepted) else "",
        to=request.to,
        caller_id=request.caller_id,
        at=datetime.now(UTC) - timedelta(seconds=30),
    )


def place(laboratory: Laboratory, does: str) -> tuple[PlaceRequest, Answer]:
    request = a_request(laboratory.number_that(does))
    return request, laboratory.carrier.place(request)

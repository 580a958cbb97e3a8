"""The simulated carrier's adapter against the real process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings

from dialer.carriers.base import Carrier, ReportRequest
from dialer.carriers.simulated import SimulatedCarrier
from dialer.models import Line
from tests.dialer.carriers.conformance import CarrierConformance, TakesOurIds, place
from tests.dialer.carriers.receiver import Receiver, receiving
from tests.simulated_carrier import RunningCarrier, StartCarrier

_NUMBERS = {
    "answers": "+493012340000",
    "is busy": "+493012340003",
    "does not exist": "+493012340004",
    "is silent": "+493012340007",
    "talks on": "+493012340018",
}


def adapter_to(running: RunningCarrier, **options: Any) -> SimulatedCarrier:
    """Return the adapter of an installation whose carrier is ``running``."""
    with override_settings(SIMULATED_CARRIER_URL=running.url, SIMULATED_CARRIER_SECRET=running.secret):
        return SimulatedCarrier(Line(carrier="simulated"), **options)


@dataclass(kw_only=True)
class SimulatedLaboratory:
    carrier: Carrier
    running: RunningCarrier
    receiver: Receiver

    def number_that(self, does: str) -> str:
        return _NUMBERS[does]

    def times_asked(self, call_id: UUID) -> int:
        return len(self.running.places_of(call_id))

    def fill(self) -> None:
        self.running.control(capacity=0)

    def take_away(self) -> None:
        self.running.stop()

    def deliveries_until_end_of(self, call_id: UUID) -> list[ReportRequest]:
        self.receiver.reports(str(call_id))
        return [request.as_it_came() for request in self.receiver.received]


class TestSimulatedCarrier(CarrierConformance, TakesOurIds):
    @pytest.fixture
    def laboratory(self, start_carrier: StartCarrier) -> Iterator[SimulatedLaboratory]:
        with receiving() as receiver:
            running = start_carrier(report_url=receiver.url)
            yield SimulatedLaboratory(carrier=adapter_to(running), running=running, receiver=receiver)
            if running.is_running:
                running.stop()

    def test_the_last_report_brings_the_transcript(self, laboratory: SimulatedLaboratory) -> None:
        request, _ = place(laboratory, "answers")

        last = laboratory.deliveries_until_end_of(request.call_id)[-1]

        assert laboratory.carrier.parse_reports(last)[-1].transcript

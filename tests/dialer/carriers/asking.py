"""What the tests of the simulated carrier's process share."""

from datetime import datetime
from typing import Any

from dialer.carriers.base import Accepted, PlaceRequest
from dialer.carriers.simulated import SimulatedCarrier
from tests.dialer.carriers.conformance import a_request
from tests.dialer.carriers.test_simulated import adapter_to
from tests.simulated_carrier import RunningCarrier


def adapter(running: RunningCarrier) -> SimulatedCarrier:
    return adapter_to(running)


def a_call_to(digits: str) -> PlaceRequest:
    return a_request(f"+49301234{digits}")


def place(running: RunningCarrier, digits: str) -> PlaceRequest:
    request = a_call_to(digits)
    assert isinstance(adapter(running).place(request), Accepted)
    return request


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def kinds(reports: list[dict[str, Any]]) -> list[str]:
    return [report["kind"] for report in reports]

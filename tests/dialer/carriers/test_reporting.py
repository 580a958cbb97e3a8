"""How the simulated carrier's reports leave it when nobody takes them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from dialer.carriers.simulation.reporting import Reporter
from tests.dialer.carriers.receiver import Receiver

CALL = "01957a3c-0000-7000-8000-000000000001"


def report_until(reporter: Reporter, enough: Callable[[], object]) -> None:
    """Run a reporter until something waited for in a thread of its own has come."""

    async def run() -> None:
        sending = asyncio.ensure_future(reporter.run())
        await asyncio.to_thread(enough)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

    asyncio.run(run())


def numbers(receiver: Receiver) -> list[list[int]]:
    return [[report["n"] for report in request.content["reports"]] for request in receiver.received]


def test_a_batch_that_is_never_taken_is_given_up_and_the_next_one_is_taken(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [500]
    reporter = Reporter(receiver.url, "s", patience=0)
    taken: list[int] = []
    for n in range(101):
        reporter.send(CALL, {"n": n}, lambda n=n: taken.append(n))  # type: ignore[misc]

    report_until(reporter, lambda: receiver.wait_for(lambda received: len(received) == 2))

    assert numbers(receiver) == [list(range(100)), [100]]
    assert not set(taken) & set(range(100))
    assert "carrier.reports_lost count=100 problem=never_taken after=0s" in caplog.messages


def test_where_there_is_no_room_the_oldest_reports_are_lost(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    reporter = Reporter(receiver.url, "s", room=3)
    for n in range(5):
        reporter.send(CALL, {"n": n})

    report_until(reporter, lambda: receiver.wait_for(lambda received: len(received) == 1))

    assert numbers(receiver) == [[2, 3, 4]]
    assert "carrier.reports_lost count=2 problem=no_room" in caplog.messages

"""What a simulated carrier knows by its ledger: after its death, and of calls that it no longer has in memory."""

import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from dialer.carriers.base import Accepted, Busy, Found, Unknown
from tests.dialer.carriers.asking import a_call_to, adapter, place
from tests.dialer.carriers.conformance import handed_over
from tests.dialer.carriers.receiver import Receiver
from tests.simulated_carrier import ROOT, RunningCarrier, StartCarrier

PLACE = (
    '{"at":"2025-03-12T09:59:50+00:00","call_id":"a","public_id":"","to":"+493012340018","accepted":true,"reason":"",'
    '"nth":0,"ring_timeout_seconds":30,"max_duration_seconds":600}\n'
)


def test_a_killed_carrier_knows_its_calls_after_the_restart(simulated_carrier: RunningCarrier) -> None:
    request = place(simulated_carrier, "0018")
    simulated_carrier.kill()

    simulated_carrier.start()

    found = adapter(simulated_carrier).look_up(handed_over(request))
    assert isinstance(found, Found)
    assert found.is_live
    assert isinstance(adapter(simulated_carrier).place(request), Unknown)
    assert len(simulated_carrier.places_of(request.call_id)) == 2


def test_a_call_goes_on_after_its_carrier_was_killed(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url, speed=25)
    request = place(running, "0000")
    receiver.reports(str(request.call_id), until="answered")
    running.kill()

    running.start()

    end = receiver.reports(str(request.call_id))[-1]
    assert (end["kind"], end["outcome"]) == ("ended", "answered")


def test_a_killed_carrier_remembers_whom_it_refused_once(simulated_carrier: RunningCarrier) -> None:
    request = a_call_to("0011")
    first = adapter(simulated_carrier).place(request)
    simulated_carrier.kill()
    simulated_carrier.start()

    second = adapter(simulated_carrier).place(request)

    assert isinstance(first, Busy)
    assert isinstance(second, Accepted)


def test_a_call_that_was_hung_up_on_stays_ended_and_its_end_is_told_again_in_the_same_words(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(report_url=receiver.url)
    request = place(running, "0018")
    receiver.reports(str(request.call_id), until="answered")
    adapter(running).hang_up(handed_over(request))
    first = receiver.reports(str(request.call_id))[-1]
    running.kill()

    running.start()

    found = adapter(running).look_up(handed_over(request))
    again = receiver.reports(str(request.call_id), times=2)[-1]
    assert isinstance(found, Found)
    assert not found.is_live
    assert again == first
    assert again["ended_reason"] == "agent_hangup"
    assert len(running.places()) == 1


def test_a_second_carrier_on_a_ledger_does_not_start_and_says_why(simulated_carrier: RunningCarrier) -> None:
    request = place(simulated_carrier, "0018")

    second = subprocess.run(simulated_carrier.command(), cwd=ROOT, capture_output=True, text=True, timeout=20)  # noqa: PLW1510, S603

    assert second.returncode == 1
    assert second.stderr == (
        f"another simulated carrier runs on the ledger {simulated_carrier.ledger}:"
        " stop it, or choose another --ledger\n"
    )
    assert isinstance(adapter(simulated_carrier).look_up(handed_over(request)), Found)


def test_a_carrier_that_cannot_read_its_ledger_never_listened(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = RunningCarrier(ledger=tmp_path / "ledger.jsonl")
    hang_up = '{"at":"2025-03-12T10:00:00+00:00","hung_up":"a"}\n'
    running.ledger.write_text(PLACE + hang_up * 200_000 + "damaged\n")
    has_listened = False

    with subprocess.Popen(running.command(port=str(port)), cwd=ROOT, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                has_listened = True
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)

    assert process.returncode == 1
    assert not has_listened


def until_nothing_is_remembered(running: RunningCarrier) -> None:
    deadline = time.monotonic() + 10
    while running.request("GET", "/health").json()["remembered"]:
        assert time.monotonic() < deadline


def test_a_call_that_ended_leaves_the_memory_and_is_told_from_the_ledger(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(report_url=receiver.url, speed=200)
    requests = [place(running, digits) for digits in ("0018", "0000", "0003")]
    adapter(running).hang_up(handed_over(requests[0]))
    told = [receiver.reports(str(request.call_id)) for request in requests]

    until_nothing_is_remembered(running)

    for request, reports in zip(requests, told, strict=True):
        found = running.request("GET", f"/calls/{request.call_id}").json()
        assert (found["is_live"], found["reports"]) == (False, reports)
        assert isinstance(adapter(running).place(request), Unknown)
        assert running.request("POST", f"/calls/{request.call_id}/hang-up", json={}).json() == found
    assert [line.accepted for line in running.places()] == [True, True, True, False, False, False]


def test_calls_that_ended_long_before_a_start_are_not_taken_into_memory(tmp_path: Path) -> None:
    running = RunningCarrier(ledger=tmp_path / "ledger.jsonl")
    running.ledger.write_text(PLACE.replace('"a"', '"01957a3c-0000-7000-8000-000000000001"'))
    running.start()

    health = running.request("GET", "/health").json()
    found = running.request("GET", "/calls/01957a3c-0000-7000-8000-000000000001").json()
    running.stop()

    assert (health["live"], health["remembered"]) == (0, 0)
    assert [report["kind"] for report in found["reports"]] == ["ringing", "answered", "ended"]

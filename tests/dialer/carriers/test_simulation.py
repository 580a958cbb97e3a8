"""The simulated carrier as a process: what it does with calls, reports, faults and its own death."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
import wave
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from dialer.carriers.base import Accepted, Busy, CannotSay, Found, Health, NotFound, Unknown
from dialer.carriers.simulation.script import LATE_BY
from dialer.carriers.simulation.service import LEDGER_PAGE
from tests.dialer.carriers.asking import a_call_to, adapter, kinds, moment, place
from tests.dialer.carriers.conformance import a_request, handed_over
from tests.dialer.carriers.receiver import Receiver
from tests.dialer.carriers.test_simulated import adapter_to
from tests.simulated_carrier import ROOT, SPEED, RunningCarrier, StartCarrier

# The ledger ---------------------------------------------------------------------------------------------------------


def test_every_request_stands_in_the_ledger_accepted_or_not(simulated_carrier: RunningCarrier) -> None:
    carrier = adapter(simulated_carrier)
    taken, invalid = a_call_to("0000"), a_call_to("0004")

    for request in (taken, taken, invalid):
        carrier.place(request)

    assert [(place.call_id, place.accepted, place.reason) for place in simulated_carrier.places()] == [
        (str(taken.call_id), True, ""),
        (str(taken.call_id), False, "repeated"),
        (str(invalid.call_id), False, "invalid_number"),
    ]
    assert {place.to for place in simulated_carrier.places_of(taken.call_id)} == {taken.to}


def test_the_ledger_can_be_read_from_a_time_on(simulated_carrier: RunningCarrier) -> None:
    first, second = place(simulated_carrier, "0018"), place(simulated_carrier, "0000")
    adapter(simulated_carrier).hang_up(handed_over(first))
    since = simulated_carrier.places()[1].at.isoformat()

    everything = simulated_carrier.request("GET", "/ledger").json()
    later = simulated_carrier.request("GET", f"/ledger?since={since}").json()

    lines = [json.loads(line) for line in simulated_carrier.ledger.read_text().splitlines()]
    assert everything == {"entries": lines, "has_more": False}
    assert later["entries"] == lines[1:]
    assert [later["entries"][0]["call_id"], later["entries"][1]["hung_up"]] == [
        str(second.call_id),
        str(first.call_id),
    ]


@pytest.mark.parametrize("since", ["yesterday", "2025-03-12T10:00:00"])
def test_a_time_that_is_none_is_refused_by_the_ledger(simulated_carrier: RunningCarrier, since: str) -> None:
    assert simulated_carrier.request("GET", f"/ledger?since={since}").status_code == 400


def test_a_long_ledger_is_read_in_pages(simulated_carrier: RunningCarrier) -> None:
    place(simulated_carrier, "0003")
    simulated_carrier.kill()
    simulated_carrier.ledger.write_text(simulated_carrier.ledger.read_text() * (LEDGER_PAGE + 1))
    simulated_carrier.start()

    page = simulated_carrier.request("GET", "/ledger").json()

    assert (len(page["entries"]), page["has_more"]) == (LEDGER_PAGE, True)


def test_twenty_requests_at_once_for_one_call_make_one_call(simulated_carrier: RunningCarrier) -> None:
    request = a_call_to("0000")
    answers: list[object] = []
    gate = threading.Barrier(20)

    def ask() -> None:
        gate.wait()
        answers.append(adapter(simulated_carrier).place(request))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    assert sum(place.accepted for place in simulated_carrier.places()) == 1
    assert len(simulated_carrier.places()) == 20


# Answers ------------------------------------------------------------------------------------------------------------


def test_a_lost_request_is_ambiguous_and_never_was(simulated_carrier: RunningCarrier) -> None:
    request = a_call_to("0015")

    answer = adapter(simulated_carrier).place(request)

    assert isinstance(answer, Unknown)
    assert adapter(simulated_carrier).look_up(handed_over(request)) == NotFound()


def test_a_fault_after_accepting_is_ambiguous_and_found(simulated_carrier: RunningCarrier) -> None:
    request = a_call_to("0016")

    answer = adapter(simulated_carrier).place(request)

    assert answer == Unknown(reason="HTTP 500", health=Health.OUT_OF_REACH)
    assert isinstance(adapter(simulated_carrier).look_up(handed_over(request)), Found)


def test_a_call_that_cannot_be_looked_up_is_neither_found_nor_not_found(simulated_carrier: RunningCarrier) -> None:
    request = place(simulated_carrier, "0014")

    assert isinstance(adapter(simulated_carrier).look_up(handed_over(request)), CannotSay)


def test_capacity_counts_live_calls_and_is_free_again_after_them(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(report_url=receiver.url)
    running.control(capacity=1)
    first, second = place(running, "0018"), a_call_to("0000")

    refused = adapter(running).place(second)
    adapter(running).hang_up(handed_over(first))
    receiver.reports(str(first.call_id))
    answer = adapter(running).place(second)

    assert isinstance(refused, Busy)
    assert isinstance(answer, Accepted)


def test_a_carrier_that_is_down_takes_nothing_and_cannot_say(simulated_carrier: RunningCarrier) -> None:
    before = place(simulated_carrier, "0018")
    simulated_carrier.control(down=True)

    answer = adapter(simulated_carrier).place(a_call_to("0000"))
    found = adapter(simulated_carrier).look_up(handed_over(before))
    simulated_carrier.control(down=False)

    assert isinstance(answer, Busy)
    assert answer.reason == "down"
    assert isinstance(found, CannotSay)
    assert isinstance(adapter(simulated_carrier).look_up(handed_over(before)), Found)


def test_a_late_answer_is_ambiguous_and_the_call_is_placed(simulated_carrier: RunningCarrier) -> None:
    simulated_carrier.control(answer_delay=30)
    request = a_call_to("0000")

    answer = adapter_to(simulated_carrier, seconds=0.5).place(request)

    assert answer == Unknown(reason="no response in time", health=Health.OUT_OF_REACH)
    assert [place.accepted for place in simulated_carrier.places_of(request.call_id)] == [True]


@pytest.mark.parametrize(
    "wish",
    [
        {"reports": "sometimes"},
        {"capacity": "many"},
        {"capacity": True},
        {"answer_delay": -1},
        {"answer_delay": True},
        {"answer_delay": 1e999},
        {"answer_delay": 10**400},
        {"mood": 1},
    ],
)
def test_what_cannot_be_controlled_is_refused(simulated_carrier: RunningCarrier, wish: dict[str, object]) -> None:
    before = simulated_carrier.request("GET", "/health").json()

    response = simulated_carrier.request("POST", "/control", data=json.dumps({"down": True, **wish}))

    assert response.status_code == 400
    assert simulated_carrier.request("GET", "/health").json() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"call_id": 5}',
        b'{"call_id": 5, "to": "+493012340000", "ring_timeout_seconds": 30, "max_duration_seconds": 60}',
        b'{"call_id": "x", "to": "+4930", "ring_timeout_seconds": 30, "max_duration_seconds": 60}',
    ],
)
def test_a_request_that_names_no_call_is_not_one(simulated_carrier: RunningCarrier, body: bytes) -> None:
    response = simulated_carrier.request("POST", "/calls", data=body)

    assert response.status_code == 400
    assert simulated_carrier.places() == []


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"ring_timeout_seconds": 30, "max_duration_seconds": 60},
        {"to": "+4930", "max_duration_seconds": 9},
        {"to": "+4930", "ring_timeout_seconds": 0, "max_duration_seconds": 9},
        {"to": "+4930", "ring_timeout_seconds": 10**400, "max_duration_seconds": 9},
        {"to": "+4930", "ring_timeout_seconds": [], "max_duration_seconds": 9},
    ],
)
def test_a_request_that_is_not_understood_stands_in_the_ledger_under_its_call(
    simulated_carrier: RunningCarrier, rest: dict[str, object]
) -> None:
    call_id = "01957a3c-0000-7000-8000-000000000001"

    response = simulated_carrier.request("POST", "/calls", json={"call_id": call_id, **rest})

    assert response.status_code == 400
    [line] = simulated_carrier.places()
    assert (line.call_id, line.to, line.accepted, line.reason) == (call_id, rest.get("to", ""), False, "malformed")


def test_without_the_secret_nothing_is_placed_or_told(simulated_carrier: RunningCarrier) -> None:
    request = place(simulated_carrier, "0018")
    simulated_carrier.secret = "another"  # noqa: S105
    stranger = a_call_to("0000")

    answer = adapter(simulated_carrier).place(stranger)

    assert isinstance(answer, Busy)
    assert answer.reason == "carrier_refuses_credentials"
    assert isinstance(adapter(simulated_carrier).look_up(handed_over(request)), CannotSay)
    assert simulated_carrier.request("POST", "/control", json={"down": True}).status_code == 401
    _, line = simulated_carrier.places()
    assert (line.call_id, line.to, line.accepted) == (str(stranger.call_id), stranger.to, False)
    assert line.reason == "unauthorized"


@pytest.mark.parametrize("sent", [b"\r\n\r\n", b"hello\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
def test_what_is_not_http_is_refused_and_the_next_request_served(
    simulated_carrier: RunningCarrier, sent: bytes
) -> None:
    host, port = simulated_carrier.url.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(sent)
        answer = connection.makefile("rb").readline()

    assert answer == b"HTTP/1.1 400 Bad Request\r\n"
    assert simulated_carrier.request("GET", "/health").json()["ok"] is True


# Reports ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("0000", ["ringing", "answered", "ended"]),
        ("0001", ["ringing", "machine", "ended"]),
        ("0002", ["ringing", "ended"]),
        ("0003", ["ended"]),
        ("0005", ["ringing", "ended"]),
        ("0006", ["ended"]),
        ("0017", ["ringing", "answered", "machine", "ended"]),
    ],
)
def test_reports_follow_the_call(
    start_carrier: StartCarrier, receiver: Receiver, digits: str, expected: list[str]
) -> None:
    running = start_carrier(report_url=receiver.url, speed=200)
    request = place(running, digits)

    assert kinds(receiver.reports(str(request.call_id))) == expected


def test_a_number_that_reports_twice_repeats_its_event_ids(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url)
    request = place(running, "0012")

    reports = receiver.reports(str(request.call_id), times=2)

    assert kinds(reports) == ["ringing", "ringing", "answered", "answered", "ended", "ended"]
    assert len({report["event_id"] for report in reports}) == 3


def test_a_number_that_reports_out_of_order_tells_the_end_first(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(report_url=receiver.url)
    request = place(running, "0013")

    assert kinds(receiver.reports(str(request.call_id), until="ringing")) == ["ended", "answered", "ringing"]


def test_late_reports_keep_their_order_and_say_when_it_happened(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(report_url=receiver.url)
    request = place(running, "0019")

    reports = receiver.reports(str(request.call_id))

    assert kinds(reports) == ["ringing", "answered", "ended"]
    [end] = [sent for sent in receiver.received if sent.content["reports"][-1]["kind"] == "ended"]
    assert end.at - moment(reports[-1]["occurred_at"]) >= timedelta(seconds=LATE_BY / SPEED)


def test_what_never_reports_is_found_ended(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url)
    silent, after = place(running, "0008"), place(running, "0018")
    adapter(running).hang_up(handed_over(silent))
    adapter(running).hang_up(handed_over(after))

    receiver.reports(str(after.call_id))

    found = adapter(running).look_up(handed_over(silent))
    assert isinstance(found, Found)
    assert found.reports[-1].kind == "ended"
    assert all(
        report["call_id"] != str(silent.call_id)
        for request in receiver.received
        for report in request.content["reports"]
    )


def test_the_manner_of_reports_can_be_told_for_calls_to_come(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url)
    running.control(reports="twice")

    request = place(running, "0003")

    assert kinds(receiver.reports(str(request.call_id), times=2)) == ["ended", "ended"]


def test_reports_that_are_not_taken_are_sent_again_in_their_order(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    receiver.statuses = [500, 404, 302]
    running = start_carrier(report_url=receiver.url)

    request = place(running, "0000")

    reports = receiver.reports(str(request.call_id))
    refused, taken = receiver.received[:3], receiver.received[3:]
    assert {sent.body for sent in refused} == {taken[0].body}
    assert list(dict.fromkeys(kinds(reports))) == ["ringing", "answered", "ended"]
    assert len(reports) == 3 + sum(len(sent.content["reports"]) for sent in refused)


def test_a_recording_is_a_sound_that_can_be_played(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url)
    request = place(running, "0000")
    url = receiver.reports(str(request.call_id))[-1]["recording_url"]

    sound = running.request("GET", url.removeprefix(running.url))

    assert sound.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(sound.content)) as recording:
        assert recording.getnframes() / recording.getframerate() == 1


def test_there_is_a_recording_only_of_a_talk_that_is_over(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url)
    busy, live = place(running, "0003"), place(running, "0018")
    receiver.reports(str(busy.call_id))
    names = [f"sim_{request.call_id.hex}" for request in (busy, live)]

    answers = [
        running.request("GET", f"/recordings/{name}").status_code
        for name in (f"{names[0]}.wav", f"{names[1]}.wav", f"{live.call_id.hex}.wav", "anything.wav", ".wav", names[1])
    ]

    assert answers == [404] * 6


def test_hanging_up_while_it_rings_is_reported_as_cancelled(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url, speed=5)
    request = place(running, "0002")
    receiver.reports(str(request.call_id), until="ringing")

    adapter(running).hang_up(handed_over(request))

    end = receiver.reports(str(request.call_id))[-1]
    assert (end["outcome"], end["ended_reason"], end["duration_seconds"]) == ("cancelled", "cancelled", None)


# The process --------------------------------------------------------------------------------------------------------


def test_somebody_rings_on_request_and_every_report_says_who(start_carrier: StartCarrier, receiver: Receiver) -> None:
    carrier = start_carrier(report_url=receiver.url)

    answer = carrier.request("POST", "/inbound", json={"from": "+49301", "to": "+49302", "talk_seconds": 12})

    assert answer.status_code == 202
    received = receiver.wait_for(lambda all_: any(r["kind"] == "ended" for one in all_ for r in one.content["reports"]))
    reports = [report for one in received for report in one.content["reports"]]
    assert [report["kind"] for report in reports] == ["ringing", "answered", "ended"]
    assert {(report["direction"], report["from"], report["to"]) for report in reports} == {
        ("inbound", "+49301", "+49302")
    }
    assert {report["carrier_call_id"] for report in reports} == {answer.json()["carrier_call_id"]}
    assert reports[-1]["duration_seconds"] == 12
    parsed = adapter(carrier).parse_reports(received[0].as_it_came())
    assert (parsed[0].direction, parsed[0].call_id, parsed[0].from_number) == ("inbound", None, "+49301")
    assert carrier.places() == []


@pytest.mark.parametrize(
    "ring", [{}, {"from": "+49301"}, {"to": 5}, {"to": "+49302", "talk_seconds": True}, {"to": "+49302", "who": "me"}]
)
def test_a_ring_that_is_not_understood_is_refused(simulated_carrier: RunningCarrier, ring: dict[str, object]) -> None:
    assert simulated_carrier.request("POST", "/inbound", json=ring).status_code == 400


def test_sigterm_ends_it_cleanly_with_calls_reports_and_answers_under_way(start_carrier: StartCarrier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody_answers:
        url = f"http://127.0.0.1:{nobody_answers.getsockname()[1]}"
        running = start_carrier(report_url=url, api_url=url, api_key="k")
        place(running, "0018")
        running.control(answer_delay=30)
        waiting = threading.Thread(target=lambda: adapter(running).place(a_call_to("0000")))
        waiting.start()

        code = running.stop()
        waiting.join()

    assert code == 0


def test_it_runs_without_djangos_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dialer.carriers.simulation", "--help"]

    result = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=True)  # noqa: S603

    assert "--report-url" in result.stdout


def test_manage_py_tells_it_from_the_settings_where_it_lives(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    command = [sys.executable, "manage.py", "simulated_carrier", "--port=0"]
    environment = {**os.environ, "SIMULATED_CARRIER_LEDGER": str(ledger), "SIMULATED_CARRIER_SECRET": "s"}

    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        said = process.stdout.readline()
        process.terminate()

    assert process.returncode == 0
    assert said.endswith(f", ledger {ledger}\n")
    assert ledger.read_text() == ""


def test_one_seed_gives_one_course(start_carrier: StartCarrier) -> None:
    fates = []
    for _ in range(2):
        running = start_carrier(seed="one", speed=10_000)
        requests = [a_request(f"+4930123{number}") for number in range(5000, 5020)]
        answers = [type(adapter(running).place(request)) for request in requests]
        fates.append([*answers, *(outcome_of(running, request.call_id) for request in requests)])

    assert fates[0] == fates[1]


def outcome_of(running: RunningCarrier, call_id: UUID) -> str | None:
    found = adapter(running).look_up(handed_over(call_id))
    return None if not isinstance(found, Found) or found.is_live else json.dumps(found.reports[-1].outcome)

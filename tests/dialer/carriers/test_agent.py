"""The simulated carrier's voice agent: what it tells Ringback's API, and when."""

from datetime import timedelta

from dialer.carriers.simulation.network import CALLBACK_AFTER
from tests.dialer.carriers.asking import kinds, moment, place
from tests.dialer.carriers.receiver import Received, Receiver
from tests.simulated_carrier import SPEED, RunningCarrier, StartCarrier


def told(receiver: Receiver, *, times: int) -> list[Received]:
    def spoken(received: list[Received]) -> list[Received]:
        return [request for request in received if request.path.startswith("/api/")]

    return spoken(receiver.wait_for(lambda received: len(spoken(received)) >= times))


def start_with_agent(start_carrier: StartCarrier, receiver: Receiver) -> RunningCarrier:
    return start_carrier(report_url=receiver.url, api_url=f"{receiver.url}/api/v1/", api_key="rb_key")


def test_a_callee_asks_for_a_callback_while_talking(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_with_agent(start_carrier, receiver)
    request = place(running, "0009")

    asked, analysis = told(receiver, times=2)

    assert asked.path == f"/api/v1/calls/{request.public_id}/request-callback/"
    assert asked.headers["Authorization"] == "Bearer rb_key"
    assert analysis.path == f"/api/v1/calls/{request.public_id}/analysis/"
    _, answered, ended = (moment(report["occurred_at"]) for report in receiver.reports(str(request.call_id)))
    asked_at = moment(asked.content["scheduled_at"]) - timedelta(seconds=CALLBACK_AFTER / SPEED)
    assert answered < asked_at < ended


def test_a_callee_asks_not_to_be_called(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_with_agent(start_carrier, receiver)
    request = place(running, "0010")

    assert told(receiver, times=1)[0].path == f"/api/v1/calls/{request.public_id}/request-dnc/"


def test_an_answered_call_is_analysed_after_its_end_was_taken(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_with_agent(start_carrier, receiver)
    place(running, "0000")

    [analysis] = told(receiver, times=1)

    assert kinds(receiver.received[-2].content["reports"])[-1] == "ended"
    assert analysis.content.keys() == {"summary", "outcome_id", "score", "structured_data", "flow_completed"}


def test_what_was_said_is_told_by_the_agent_where_the_end_says_nothing_of_it(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_with_agent(start_carrier, receiver)
    request = place(running, "0020")

    recording, analysis = sorted(told(receiver, times=2), key=lambda request: "recording" not in request.path)

    end = receiver.reports(str(request.call_id))[-1]
    assert (end["outcome"], end["transcript"], end["recording_url"]) == ("answered", None, None)
    assert recording.path == f"/api/v1/calls/{request.public_id}/recording/"
    assert recording.content.keys() == {"transcript", "recording_url"}
    assert recording.content["transcript"].startswith("Agent: Hello")
    sound = running.request("GET", recording.content["recording_url"].removeprefix(running.url))
    assert sound.headers["Content-Type"] == "audio/wav"
    assert analysis.path.endswith("/analysis/")


def test_without_an_agent_the_end_says_what_was_said(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(report_url=receiver.url)
    request = place(running, "0020")

    end = receiver.reports(str(request.call_id))[-1]

    assert end["transcript"]
    assert end["recording_url"]


def test_a_machine_is_not_analysed(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_with_agent(start_carrier, receiver)
    machine = place(running, "0001")
    receiver.reports(str(machine.call_id))
    human = place(running, "0000")

    [analysis] = told(receiver, times=1)

    assert human.public_id in analysis.path


def test_an_api_that_refuses_is_no_concern_of_the_carriers(start_carrier: StartCarrier, receiver: Receiver) -> None:
    running = start_carrier(api_url=receiver.url, api_key="rb_key")
    receiver.statuses = [403]
    place(running, "0000")
    receiver.wait_for(lambda received: len(received) == 1)

    place(running, "0000")

    receiver.wait_for(lambda received: len(received) == 2)
    assert running.is_running


def test_every_try_of_an_effect_has_its_key_and_no_other_effect_has_it(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(api_url=receiver.url, api_key="rb_key")
    receiver.statuses = [500, 409]
    first = place(running, "0010")
    tries = receiver.wait_for(lambda received: len(received) == 4)
    second = place(running, "0000")

    [other] = receiver.wait_for(lambda received: len(received) == 5)[4:]

    keys: dict[str, set[str]] = {}
    for request in (*tries, other):
        keys.setdefault(request.path, set()).add(request.headers["Idempotency-Key"])
    assert keys.keys() == {
        f"/calls/{first.public_id}/request-dnc/",
        f"/calls/{first.public_id}/analysis/",
        f"/calls/{second.public_id}/analysis/",
    }
    assert [len(of_effect) for of_effect in keys.values()] == [1, 1, 1]
    assert len(set.union(*keys.values())) == 3


def test_a_wish_that_is_told_again_after_a_restart_is_the_same_wish(
    start_carrier: StartCarrier, receiver: Receiver
) -> None:
    running = start_carrier(api_url=receiver.url, api_key="rb_key", speed=6)
    place(running, "990009")  # which talks long enough to go on when the carrier is back
    receiver.wait_for(lambda received: len(received) == 1)
    running.kill()

    running.start()

    first, again = [
        (request.path, request.headers["Idempotency-Key"], request.body)
        for request in receiver.wait_for(lambda received: sum("callback" in one.path for one in received) == 2)
        if "callback" in request.path
    ]
    assert first == again

"""Bad times and zones over HTTP: past, too far ahead, or with the wrong idea of whose clock they are on."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Answer
from tests.api.faults import Site, faults_of
from tests.api.queue_rows import soon

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Site:
    return Site()


NO_INSTANT: tuple[Any, ...] = (
    "2030-01-15T10:30:00",
    "2030-01-15",
    "10:30",
    "tomorrow",
    "2030-02-30T10:30:00Z",
    "2030-01-15T25:00:00Z",
    "2030-01-15T10:30:00+25:00",
    1894703400,
    True,
    [],
    {},
    "",
    "9999-12-31T23:59:59-12:00",
)
NO_LOCAL_TIME: tuple[Any, ...] = (
    "2030-01-15T10:30:00Z",
    "2030-01-15T10:30:00+01:00",
    "2030-01-15",
    "10:30",
    "2030-02-30T10:30",
    1894703400,
    True,
    [],
)


TIMED: dict[str, tuple[str, Callable[[Site, Any], Answer]]] = {
    "a call": (
        "scheduled_at",
        lambda api, at: api.call(scheduled_at=at),
    ),
    "a callback": ("scheduled_at", lambda api, at: api.promise(scheduled_at=at)),
    "a callback that is moved": (
        "scheduled_at",
        lambda api, at: api.post(f"callbacks/{api.callback}/reschedule/", {"scheduled_at": at}),
    ),
    "a callback asked for in a call": (
        "scheduled_at",
        lambda api, at: api.post(f"calls/{api.live_call}/request-callback/", {"scheduled_at": at}),
    ),
    "many callbacks": (
        "scheduled_at",
        lambda api, at: api.post(
            "callbacks/bulk/",
            {"action": "reschedule", "ids": [api.callback], "scheduled_at": at},
        ),
    ),
}
LOCAL: dict[str, tuple[str, Callable[[Site, Any], Answer]]] = {
    "a callback": ("local_time", lambda api, at: api.promise(local_time=at)),
    "a callback asked for in a call": (
        "local_time",
        lambda api, at: api.post(f"calls/{api.live_call}/request-callback/", {"local_time": at}),
    ),
}


@pytest.mark.parametrize("route", TIMED)
def test_a_time_that_is_no_instant_or_past_or_too_far_ahead_is_refused(api: Site, route: str) -> None:
    path, send = TIMED[route]
    far = [soon(days=31).isoformat(), soon(minutes=-2).isoformat(), soon(days=-400).isoformat(), "2199-01-01T00:00:00Z"]

    assert not faults_of((at, path, send(api, at)) for at in (*NO_INSTANT, *far))


@pytest.mark.parametrize("route", LOCAL)
def test_a_local_time_with_an_offset_or_past_or_too_far_ahead_is_refused(api: Site, route: str) -> None:
    path, send = LOCAL[route]
    far = [f"{soon(days=days):%Y-%m-%dT%H:%M}" for days in (32, -2, -400)]

    assert not faults_of((at, path, send(api, at)) for at in (*NO_LOCAL_TIME, *far))


NO_ZONE: tuple[Any, ...] = (
    "Mars/Olympus",
    "CEST",
    "+01:00",
    "europe/berlin ",
    1,
    0,
    True,
    False,
    [],
    {},
    "../etc/passwd",
)
CAMPAIGN_TIMES: list[tuple[dict[str, Any], str]] = [
    *(({"start_at": at}, "start_at") for at in NO_INSTANT if at != ""),
    *(({"end_at": at}, "end_at") for at in NO_INSTANT if at != ""),
    *(({"start_at_local": at}, "start_at_local") for at in NO_LOCAL_TIME if at != "2030-01-15"),
    ({"end_at": "2020-01-01T00:00:00Z"}, "end_at"),
    ({"start_at": "2030-01-02T00:00:00Z", "end_at": "2030-01-01T00:00:00Z"}, "end_at"),
    ({"start_at": "2030-01-02T00:00:00Z", "start_at_local": "2030-01-02T10:00"}, "start_at_local"),
    *(({"time_zone": zone}, "time_zone") for zone in NO_ZONE),
]


LEVELS: dict[str, Callable[[Site, Any], Answer]] = {
    "a new campaign": lambda api, given: api.new_campaign(schedule=given),
    "a campaign that runs": lambda api, given: api.change_campaign(schedule=given),
}


@pytest.mark.parametrize("level", LEVELS)
def test_bad_times_of_a_campaign_are_refused_by_the_path_of_their_field(api: Site, level: str) -> None:
    send = LEVELS[level]

    assert not faults_of((given, f"schedule.{path}", send(api, given)) for given, path in CAMPAIGN_TIMES)


def test_a_zone_that_there_is_not_is_refused_for_a_workspace_and_in_a_preview(api: Site) -> None:
    some = ("", None, *NO_ZONE)
    assert not faults_of((zone, "time_zone", api.patch("settings/", {"time_zone": zone})) for zone in some)
    assert not faults_of((zone, "time_zone", api.preview(time_zone=zone)) for zone in some)
    assert not faults_of((zone, "schedule.time_zone", api.preview(schedule={"time_zone": zone})) for zone in NO_ZONE)

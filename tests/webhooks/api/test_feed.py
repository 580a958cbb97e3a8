"""The feed over HTTP."""

import time
from typing import Any

import pytest

from tests.api.client import Api, error_of
from tests.factories import make_workspace
from tests.webhooks.rows import NOW, new_event, record
from webhooks.models import Event


@pytest.fixture
def api() -> Api:
    return Api(scope="read")


def wait_for(api: Api, number: int) -> dict[str, Any]:
    until = time.monotonic() + 60
    while len((page := api.get("events/").json())["results"]) < number:
        assert time.monotonic() < until, page
        time.sleep(0.02)
    body: dict[str, Any] = page
    return body


@pytest.mark.django_db(transaction=True)
def test_a_receiver_reads_on_where_it_was_and_asks_the_last_page_again(api: Api) -> None:
    record(*(new_event(api.workspace, data={"name": f"Zoë {n}"}) for n in range(3)))
    wait_for(api, 3)

    first = api.get("events/", limit=2).json()
    second = api.get(first["next"]).json()
    nothing = api.get(second["next"]).json()

    assert (first["has_more"], second["has_more"], nothing["has_more"]) == (True, False, False)
    bodies = [row["body"].encode() for row in first["results"] + second["results"]]
    assert bodies == [bytes(event.body) for event in Event.objects.order_by("id")]
    assert nothing == {"results": [], "has_more": False, "next": second["next"]}
    record(new_event(api.workspace))
    wait_for(api, 4)
    assert len(api.get(nothing["next"]).json()["results"]) == 1
    last = first["results"][0]["id"]
    assert len(api.get("events/", after=last, type="call.ended", since=NOW.isoformat()).json()["results"]) == 3


@pytest.mark.django_db
def test_an_empty_feed_has_a_next_page_too(api: Api) -> None:
    page = api.get("events/").json()

    assert page == {"results": [], "has_more": False, "next": "http://testserver/api/v1/events/"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"type": "call.finished"}, "type"),
        ({"since": "2025-01-15"}, "since"),
        ({"call_id": "camp_1"}, "call_id"),
        ({"limit": "0"}, "limit"),
        ({"after": "evt_00000000000000000000000000"}, "after"),
        ({"cursor": "x"}, "cursor"),
        ({"ordering": "-id"}, "ordering"),
    ],
)
def test_what_the_feed_cannot_be_asked_is_refused_by_field(api: Api, query: dict[str, str], field: str) -> None:
    answer = api.get("events/", **query)

    assert answer.status_code == 400
    assert set(error_of(answer)["fields"]) == {field}


@pytest.mark.django_db
def test_an_event_of_another_workspace_is_none_to_go_on_after(api: Api) -> None:
    record(new_event(make_workspace()))

    assert api.get("events/", after=Event.objects.get().public_id).status_code == 400

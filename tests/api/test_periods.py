"""The filters of lists by time, number and name: what they show, and that an index leads to it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import filling, rows
from callbacks.models import Callback
from callbacks.queue_views import QUEUES
from dialer.api import shapes
from dialer.models import Call, Contact, Message
from tests.api.client import Api, error_of
from tests.api.queue_rows import make_callback, open_campaign, soon
from tests.factories import make_call, make_contact, make_message, make_workspace

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def shown(api: Api, path: str, **query: Any) -> list[Any]:
    answer = api.get(path, **query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def at_hours(*hours: float) -> list[str]:
    return [soon(hours=hour).isoformat() for hour in hours]


def called(api: Api, at: datetime | None, **fields: Any) -> Call:
    status = "queued" if at is None else "ended"
    return make_call(make_contact(api.workspace), status=status, dialing_at=at, **fields)


def test_calls_of_a_period_are_those_handed_over_in_it_newest_first() -> None:
    api = Api()
    _, first, last, after = (called(api, soon(hours=hours)) for hours in (-4, -3, -2, -1))
    called(api, None)
    since, until = at_hours(-3, -1)

    assert shown(api, "calls/", since=since, until=until) == [last.public_id, first.public_id]
    assert shown(api, "calls/", since=since, until=until, ordering="dialing_at") == [first.public_id, last.public_id]
    assert shown(api, "calls/", since=until) == [after.public_id]
    assert len(shown(api, "calls/", ordering="dialing_at")) == 4, "a call without a time is not in their order"


def test_a_period_is_read_page_by_page() -> None:
    api = Api()
    at = soon(hours=-1)
    calls = [called(api, at).public_id for _ in range(5)]
    found: list[str] = []

    page = api.get("calls/", since=at.isoformat(), limit=2).json()
    while True:
        found += [row["id"] for row in page["results"]]
        if page["next"] is None:
            break
        page = api.get(page["next"]).json()

    assert found == sorted(calls, reverse=True)


@pytest.mark.parametrize("path", ["calls/", "inbound-calls/", "callbacks/", "contacts/", "messages/"])
def test_a_period_that_ends_before_it_begins_is_refused(path: str) -> None:
    since, until = at_hours(0, -1)

    assert error_of(Api().get(path, since=since, until=until))["fields"] == {"until": ["must be after since"]}
    assert set(error_of(Api().get(path, since="yesterday"))["fields"]) == {"since"}
    assert set(error_of(Api().get(path, until="2025-01-01T00:00:00"))["fields"]) == {"until"}


def test_a_period_and_the_order_of_ids_do_not_go_together() -> None:
    (since,) = at_hours(-1)

    refused = Api().get("calls/", since=since, ordering="-id")

    assert error_of(refused)["fields"] == {"ordering": ["must be one of -dialing_at, dialing_at"]}


def test_callbacks_of_a_period_are_those_promised_for_it() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    early, late = (make_callback(campaign, at=soon(hours=hours)).pk for hours in (1, 3))
    since, until = at_hours(1, 3)

    assert shown(api, "callbacks/", since=since) == [late, early]
    assert shown(api, "callbacks/", since=since, until=until) == [early]
    assert shown(api, "callbacks/", since=since, queue="all_pending") == [early, late], "a queue is read from its front"


@pytest.mark.parametrize(
    ("path", "make"),
    [
        ("contacts/", lambda api: make_contact(api.workspace)),
        ("messages/", lambda api: make_message(make_contact(api.workspace))),
    ],
)
def test_contacts_and_messages_of_a_period_are_those_made_in_it(path: str, make: Callable[[Api], Any]) -> None:
    api = Api()
    row = make(api)
    made = row.created_at or type(row).objects.get(pk=row.pk).created_at
    assert isinstance(row, Contact | Message)

    assert shown(api, path, since=made.isoformat()) == [row.public_id]
    assert shown(api, path, until=made.isoformat()) == []
    assert shown(api, path, until=(made + timedelta(microseconds=1)).isoformat()) == [row.public_id]


@pytest.mark.parametrize("number", ["+49301234567", "+49 30 123-4567"])
def test_rows_are_found_by_a_number_in_any_spelling(number: str) -> None:
    api = Api()
    contact = make_contact(api.workspace, phone="+49301234567")
    before = make_call(make_contact(api.workspace, phone="+49301112222"), status="ended", number="+49301234567")
    queued = make_call(contact, number="+49309999999")  # the contact's number has changed since
    make_call(make_contact(api.workspace, phone="+49301112223"), status="ended")
    message = make_message(contact)
    make_message(make_contact(api.workspace))
    callback = make_callback(open_campaign(api.workspace), at=soon(hours=1), contact=make_contact(api.workspace))
    Callback.objects.filter(pk=callback.pk).update(contact=contact)

    assert set(shown(api, "calls/", number=number)) == {before.public_id, queued.public_id}
    assert shown(api, "messages/", number=number) == [message.public_id]
    assert shown(api, "callbacks/", phone=number) == [callback.pk]


def test_rows_are_found_by_the_beginnings_of_the_words_of_a_name() -> None:
    api = Api()
    contact = make_contact(api.workspace, name="Ørjan van der Berg")
    make_contact(api.workspace, name="Jan Bergmann")
    make_contact(make_workspace(), name="Ørjan Berg")
    call = make_call(contact, status="ended")
    callback = make_callback(open_campaign(api.workspace), at=soon(hours=1), contact=contact)
    make_callback(open_campaign(api.workspace), at=soon(hours=1))

    assert shown(api, "contacts/", name="ber ørj") == [contact.public_id]
    assert call.public_id in shown(api, "calls/", name="van")
    assert {row["contact_id"] for row in api.get("calls/", name="van").json()["results"]} == {contact.public_id}
    assert shown(api, "callbacks/", name="ØRJAN") == [callback.pk]
    assert shown(api, "contacts/", name="erg") == []


@pytest.mark.parametrize("path", ["contacts/", "calls/", "callbacks/"])
def test_a_name_without_a_word_is_refused(path: str) -> None:
    assert error_of(Api().get(path, name="!&|"))["fields"] == {"name": ["must have a letter or a digit"]}


def test_a_name_that_fits_too_many_contacts_is_refused_instead_of_answered_in_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shapes, "MOST_FOUND", 2)
    api = Api()
    for _ in range(3):
        make_contact(api.workspace, name="Ann")

    refused = api.get("calls/", name="ann")

    assert error_of(refused)["fields"] == {"name": ["fits more than 2 contacts"]}


def test_a_filter_of_a_bulk_action_names_nobody() -> None:
    body = {"action": "cancel", "filter": {"name": "Ann", "phone": "+49301234567"}}

    assert set(error_of(Api().post("callbacks/bulk/", body))["fields"]) == {"filter.name", "filter.phone"}


def test_a_bulk_action_takes_a_period() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    for hours in (1, 3):
        make_callback(campaign, at=soon(hours=hours))
    since, until = at_hours(2, 1)

    started = api.post("callbacks/bulk/", {"action": "cancel", "filter": {"since": since}})
    refused = api.post("callbacks/bulk/", {"action": "cancel", "filter": {"since": since, "until": until}})

    assert (started.status_code, started.json()["total"]) == (202, 1)
    assert started.json()["filter"] == {"since": since}
    assert error_of(refused)["fields"] == {"filter.until": ["must be after since"]}


def test_queues_are_counted_as_they_are_listed() -> None:
    api = Api()
    campaign = open_campaign(api.workspace)
    for ahead in ({"hours": -2}, {"seconds": -30}, {"days": 400}):
        make_callback(campaign, at=soon(**ahead))
    make_callback(open_campaign(make_workspace()), at=soon(hours=-2))

    with CaptureQueriesContext(connection) as queries:
        counts = api.get("callbacks/counts/").json()

    assert len([query for query in queries if "FROM callbacks_callback" in query["sql"]]) == 1
    assert counts["overdue"] == {"count": 1, "is_more": False}, "half a minute is not late yet"
    assert counts["all_pending"] == {"count": 3, "is_more": False}
    for queue in ("due_today", "this_week"):
        assert counts[queue]["count"] == len(shown(api, "callbacks/", queue=queue))
    assert set(counts) == set(QUEUES)


def test_counting_stops_at_its_limit_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("callbacks.queue_views", "callbacks.api.serializers"):
        monkeypatch.setattr(f"{module}.MOST_COUNTED", 2)
    api = Api()
    campaign = open_campaign(api.workspace)
    for _ in range(3):
        make_callback(campaign, at=soon(hours=-2))

    assert api.get("callbacks/counts/").json()["overdue"] == {"count": 2, "is_more": True}


_PERIOD = {"since": "2025-03-01T00:00:00Z", "until": "2025-04-01T00:00:00Z"}


_FILTERS: list[tuple[str, dict[str, str], str]] = [
    ("calls/", _PERIOD, "call_by_time"),
    ("calls/", {"number": "+49301234567"}, "call_ledger"),
    ("calls/", {"name": "ann"}, "contact_words_of_name"),
    ("inbound-calls/", _PERIOD, "call_by_time|call_newest_inbound"),
    ("callbacks/", _PERIOD, "callback_by_time"),
    ("callbacks/", {**_PERIOD, "status": "pending"}, "callback_queue"),
    ("callbacks/", {"phone": "+49301234567"}, "contact_by_phone"),
    ("callbacks/", {"name": "ann"}, "contact_words_of_name"),
    ("callbacks/counts/", {}, "callback_queue"),
    ("contacts/", _PERIOD, "contact_newest|dialer_contact_pkey"),
    ("contacts/", {"name": "ann"}, "contact_words_of_name"),
    ("messages/", _PERIOD, "message_newest|dialer_message_pkey"),
    ("messages/", {"number": "+49301234567"}, "message_by_number"),
    ("campaigns/{campaign}/contacts/", {}, "campaign_contact_once|campaign_contact_by_state"),
    ("campaigns/{campaign}/contacts/", {"state": "invalid"}, "campaign_contact_by_state"),
]


def test_every_filter_is_served_by_an_index() -> None:
    campaign = rows.a_campaign()
    filling.ended_calls(campaign, 3_000)
    filling.callbacks(campaign, 3_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE dialer_contact, dialer_call, dialer_campaigncontact, callbacks_callback")
    api = Api(campaign.workspace)
    small = open_campaign(api.workspace).public_id

    unserved = []
    for path, query, index in _FILTERS:
        plans = _plans(lambda path=path, query=query: api.get(path.format(campaign=small), **query))  # type: ignore[misc]
        if not any(re.search(index, plan) for plan in plans):
            unserved.append((path, query, *plans[2:]))
    assert unserved == []


def _plans(ask: Callable[[], Any]) -> list[str]:
    """Return the plans of the reading statements of a request."""
    plans: list[str] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any) -> Any:
        if "SELECT" in sql and not re.search("INSERT|UPDATE|SAVEPOINT", sql):
            execute(f"EXPLAIN {sql}", params, many, context)
            plans.append("\n".join(line for (line,) in context["cursor"].fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert ask().status_code == 200
    return plans

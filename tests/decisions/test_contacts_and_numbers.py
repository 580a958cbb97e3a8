"""Corners of contacts and their numbers, each decided once: a test's name is the decision."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from dialer.models import Call, Suppression
from tests.world import ALWAYS_OPEN, ANSWERS, RINGS_OUT, World, a_number, instant, world

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["world"]

HOURLY = {"callback_retry_schedule": [60, 60]}
SECOND = timedelta(seconds=1)


def in_two_campaigns(world: World, number: str) -> tuple[Any, Any]:
    first, second = (world.campaign(number, schedule=HOURLY) for _ in range(2))
    return first, second


def a_retry(world: World) -> Any:
    world.campaign(a_number(RINGS_OUT), schedule=HOURLY)
    world.run_for(minutes=5)
    (retry,) = world.pending()
    return retry


def held_by(row: Any) -> str:
    """Say why a callback is not called now: it was moved when it was made, or waits when it is due."""
    return str(row["adjusted_reason"] or row["waiting"]["code"])


def change(world: World, contact: Any, **fields: Any) -> Any:
    answer = world.api.patch(f"contacts/{contact['id']}/", fields)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_in_two_campaigns_it_has_two_chains_two_callbacks_and_one_live_call(world: World) -> None:
    campaigns = in_two_campaigns(world, a_number(RINGS_OUT))
    world.run_for(seconds=5)

    live = [call for call in world.calls() if call["status"] == "ringing"]
    waits = [call for call in world.calls() if call["status"] == "queued"]
    assert (len(live), len(waits)) == (1, 1)
    assert waits[0]["held_reason"] == "contact_busy"

    world.run_for(minutes=5)
    assert {row["campaign"]["id"] for row in world.pending()} == {campaign["id"] for campaign in campaigns}
    assert len({call["chain_id"] for call in world.calls()}) == 2
    world.run_for(hours=5)
    dialled = sorted((instant(call["dialing_at"]), instant(call["ended_at"])) for call in world.calls())
    assert len(dialled) == 6
    assert all(ended <= following for (_, ended), (following, _) in pairwise(dialled))


def test_limits_of_a_number_count_the_calls_of_both_campaigns(world: World) -> None:
    limits = {"contact_limits": [{"max": 3, "period_hours": 24, "scope": "number"}]}
    assert world.api.patch("settings/", limits).status_code == 200
    in_two_campaigns(world, a_number(RINGS_OUT))

    world.run_for(hours=23)

    assert len(world.carrier.placed) == 3
    assert {held_by(row) for row in world.pending()} == {"contact_limit"}


def test_an_answer_in_one_campaign_leaves_the_callbacks_of_the_other(world: World) -> None:
    number = a_number(RINGS_OUT)
    first = world.campaign(number, schedule=HOURLY)
    world.run_for(minutes=5)
    world.does[number] = ANSWERS

    second = world.campaign(number)
    world.run_for(minutes=5)

    assert [row["campaign"]["id"] for row in world.pending()] == [first["id"]]
    assert [body["data"]["campaign_id"] for body in world.webhooks("call.exhausted")] == [second["id"]]


def test_where_the_number_changes_while_a_callback_is_pending_the_number_valid_at_dialling_is_dialled(
    world: World,
) -> None:
    retry = a_retry(world)
    number = a_number(ANSWERS)

    change(world, retry["contact"], phone=number)
    world.run_for(hours=2)

    assert world.carrier.numbers()[1:] == [number]
    assert world.calls()[1]["number"] == number
    assert world.calls()[1]["outcome"] == "answered"


def test_a_changed_number_is_judged_by_its_own_zone(world: World) -> None:
    # 11:00 in Berlin, where the window is open until 20:00; in New York it is 06:00 and closed until 09:00.
    world.campaign(a_number(RINGS_OUT), schedule={**HOURLY, "calling_hours": {"start": "09:00", "end": "20:00"}})
    world.run_for(minutes=5)
    (retry,) = world.pending()

    change(world, retry["contact"], phone="+12125550000")
    world.run_for(hours=5)

    (call,) = [row for row in world.calls() if row["number"] == "+12125550000"]
    assert call["dialing_at"] == "2025-03-12T13:00:00Z"


def test_a_changed_number_brings_the_limits_of_its_own_ledger(world: World) -> None:
    limits = {"contact_limits": [{"max": 1, "period_hours": 24, "scope": "number"}]}
    assert world.api.patch("settings/", limits).status_code == 200
    number = a_number(RINGS_OUT)
    world.campaign(number, schedule={"callback_retry_schedule": [60]})
    world.run_for(minutes=5)
    (retry,) = world.pending()
    assert retry["adjusted_reason"] == "contact_limit"
    used = a_number(ANSWERS)
    world.run_until(instant(retry["scheduled_at"]) - timedelta(hours=1))
    world.campaign(used)
    world.run_for(minutes=5)

    change(world, retry["contact"], phone=used)
    world.run_for(hours=20)

    # The new number was called an hour before; the callback waits until that is a day ago.
    row = world.ask(f"callbacks/{retry['id']}/")
    assert (row["status"], row["waiting"]["code"]) == ("pending", "contact_limit")
    assert world.carrier.numbers().count(used) == 1


def test_a_changed_number_that_is_suppressed_is_not_called(world: World) -> None:
    retry = a_retry(world)
    suppressed = a_number(ANSWERS)
    world.say("suppressions/", {"phone": suppressed})

    change(world, retry["contact"], phone=suppressed)
    world.run_for(hours=5)

    assert suppressed not in world.carrier.numbers()
    assert world.ask(f"callbacks/{retry['id']}/")["status"] == "cancelled"


def test_a_suppression_does_not_follow_a_contact_to_its_next_number(world: World) -> None:
    number, next_number = a_number(RINGS_OUT), a_number(ANSWERS)
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": number})
    world.say("suppressions/", {"phone": number})

    change(world, contact, phone=next_number)
    world.say("calls/", {"contact_id": contact["id"], "call": ALWAYS_OPEN})
    world.run_for(minutes=5)

    assert world.carrier.numbers() == [next_number]
    assert [row["phone"] for row in world.ask("suppressions/")["results"]] == [number]


def test_one_number_on_two_contacts_is_allowed_and_lock_limits_and_suppression_go_by_number(world: World) -> None:
    limits = {"contact_limits": [{"max": 2, "period_hours": 24, "scope": "number"}]}
    assert world.api.patch("settings/", limits).status_code == 200
    number = a_number(RINGS_OUT)
    contacts = [world.say("contacts/", {"external_id": who, "name": who, "phone": number}) for who in ("ann", "bob")]
    for contact in contacts:
        world.say("calls/", {"contact_id": contact["id"], "call": {**ALWAYS_OPEN, "callback_retry_schedule": [60]}})
    world.run_for(seconds=5)
    assert [call["status"] for call in world.calls()] == ["ringing", "queued"]

    world.run_for(hours=20)
    assert len(world.carrier.placed) == 2
    assert {held_by(row) for row in world.pending()} == {"contact_limit"}

    world.say("suppressions/", {"phone": number})
    assert world.pending() == []
    assert {row["status"] for row in world.callbacks()} == {"cancelled"}


def test_deleting_a_contact_cancels_its_callbacks_and_anonymises_its_calls(world: World) -> None:
    retry = a_retry(world)
    number = world.calls()[0]["number"]

    assert world.api.delete(f"contacts/{retry['contact']['id']}/").status_code == 204
    world.run_for(hours=5)

    row = world.ask(f"callbacks/{retry['id']}/")
    assert (row["status"], row["contact"]["name"], row["contact"]["phone"]) == ("cancelled", "", "")
    assert [call["number"] for call in world.calls()] == [""]
    assert len(world.carrier.placed) == 1
    assert world.webhooks("callback.cancelled")[0]["data"]["id"] == retry["id"]
    assert number not in str(world.ask("contacts/"))


def test_deleting_a_contact_keeps_the_suppression_as_a_keyed_hash(world: World) -> None:
    number = a_number(ANSWERS)
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": number})
    made = world.say("suppressions/", {"phone": number})

    assert world.api.delete(f"contacts/{contact['id']}/").status_code == 204

    assert number not in str(list(Suppression.objects.values()))
    assert world.ask("suppressions/")["results"] == [{**made, "phone": None}]
    assert world.ask("suppressions/", phone=number)["results"] == [{**made, "phone": None}]
    # It holds at each door: a call, a promise, a campaign, and the last look before dialling.
    assert world.refused("calls/", {"contact": {"phone": number}, "call": ALWAYS_OPEN})[0] == 409
    again = world.say("contacts/", {"name": "Jane Roe", "phone": number})
    promise = {"contact_id": again["id"], "scheduled_at": world.now.isoformat()}
    assert world.refused("callbacks/", promise) == (409, "contact_suppressed")
    world.campaign(number)
    world.run_for(hours=1)
    assert world.carrier.placed == []
    assert Call.objects.filter(status__in=["queued", "ended"]).count() == 0


def test_a_number_that_is_held_by_its_hash_is_known_when_it_is_suppressed_again_and_can_be_lifted(world: World) -> None:
    number = a_number(ANSWERS)
    contact = world.say("contacts/", {"name": "Jane Roe", "phone": number})
    made = world.say("suppressions/", {"phone": number})
    world.api.delete(f"contacts/{contact['id']}/")

    assert world.say("suppressions/", {"phone": number})["id"] == made["id"]
    assert Suppression.objects.count() == 1
    lifted = world.api.delete(f"suppressions/{made['id']}/", {"reason": "Asked to be called again"})

    assert lifted.status_code == 204
    world.campaign(number)
    world.run_for(minutes=5)
    assert world.carrier.numbers() == [number]


def test_a_suppressed_number_that_another_contact_has_stays_readable(world: World) -> None:
    number = a_number(ANSWERS)
    contacts = [world.say("contacts/", {"external_id": who, "name": who, "phone": number}) for who in ("ann", "bob")]
    world.say("suppressions/", {"phone": number})

    seen = []
    for contact in contacts:
        assert world.api.delete(f"contacts/{contact['id']}/").status_code == 204
        seen.append(world.ask("suppressions/")["results"][0]["phone"])

    assert seen == [number, None]


def test_a_call_to_a_name_and_a_number_goes_to_the_newest_contact_with_that_number_else_to_a_new_one(
    world: World,
) -> None:
    number = a_number(ANSWERS)
    made = [world.say("contacts/", {"external_id": who, "name": who, "phone": number}) for who in ("ann", "bob")]

    known = world.say("calls/", {"contact": {"name": "Jane Roe", "phone": number}, "call": ALWAYS_OPEN})
    other = world.say("calls/", {"contact": {"name": "Jane Roe", "phone": a_number(ANSWERS)}, "call": ALWAYS_OPEN})

    assert known["contact_id"] == made[1]["id"]
    assert other["contact_id"] not in {contact["id"] for contact in made}
    assert world.ask(f"contacts/{other['contact_id']}/")["name"] == "Jane Roe"

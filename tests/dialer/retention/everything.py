"""A contact of whom every table tells something, and a search through every column of every table."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.db import connection

from dialer.campaigns import imports
from dialer.carriers.base import MessageReport, Report
from dialer.dialing import carrier_reports
from dialer.messages import messages
from dialer.messages import reports as message_reports
from dialer.models import Contact, Import
from dialer.rules.status_callbacks import StatusUrl
from tests.webhooks.rows import make_endpoint
from tests.world import ANSWERS, ASKS_FOR_CALLBACK, World, a_number
from webhooks import batches
from webhooks.models import Delivery, DeliveryAttempt

NAME = "Ottilie Quantz"
WORDS = ("ottilie", "quantz")
ABOUT = f"{NAME} has a dog"


def tell_of_a_contact(world: World) -> tuple[Contact, str]:
    """Let a contact be named wherever the product keeps a text; return it with its number."""
    number = a_number(ASKS_FOR_CALLBACK)
    make_endpoint(world.workspace, name="Arrays", url="https://9.9.9.9/batch", profile="batch")
    _a_campaign(world, number)
    contact = Contact.objects.get(phone=number)
    _calls_without_a_campaign(world, contact, number)
    _an_inbound_call(world, number)
    _messages(world, number)
    _an_import(world, number)
    _what_people_wrote(world, contact, number)
    batches.freeze_due(now=world.now + timedelta(hours=1))
    _what_receivers_answered(world)
    return contact, number


def columns_that_name(*needles: str) -> set[str]:
    """Return every column of the database of which a value contains one of the texts, whatever their case."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY', 'inet', 'USER-DEFINED')"
        )
        for table, column, kind in cursor.fetchall():
            name = connection.ops.quote_name(column)
            text = f"encode({name}, 'escape')" if kind == "bytea" else f"{name}::text"
            cursor.execute(f"SELECT {text} FROM {connection.ops.quote_name(table)} WHERE {name} IS NOT NULL")  # noqa: S608
            values = [str(value).lower() for (value,) in cursor.fetchall()]
            if any(needle.lower() in value for value in values for needle in needles):
                found.add(f"{table}.{column}")
    return found


def spellings(number: str) -> tuple[str, ...]:
    """Return what a search for the number looks for; the digits are in it with and without plus, encoded or not."""
    return (number.removeprefix("+"), quote(number))


def _a_campaign(world: World, number: str) -> None:
    urls = {url.value: f"https://9.9.9.9/{url.value}" for url in StatusUrl}
    schedule = {"callback_retry_schedule": [60, 60], "max_callback_attempts": 2, "calling_hours": _ALWAYS}
    campaign = world.say(
        "campaigns/", {"name": "Outreach", "persona_id": world.persona.public_id, "schedule": schedule, **urls}
    )
    person = {
        "name": NAME,
        "phone": number,
        "external_id": "crm-ottilie-quantz",
        "metadata": {"spouse": "of Ottilie Quantz"},
    }
    assert world.say(f"campaigns/{campaign['id']}/contacts/", {"contacts": [person]})["refused"] == []
    world.say(f"campaigns/{campaign['id']}/start/")
    world.asked_for = {"local_time": "2025-03-13T15:00:00", "notes": ABOUT}
    world.run_for(hours=1)
    world.does[number] = ANSWERS
    world.run_for(days=3)
    for call in world.calls():
        if call["outcome"] == "answered":
            world.say(f"calls/{call['id']}/recording/", {"transcript": f"{NAME}: hello.", "recording_url": _RECORDING})
            world.say(f"calls/{call['id']}/analysis/", _ANALYSIS)
    world.say(f"campaigns/{campaign['id']}/pause/", {"reason": f"{NAME} complained"})


def _calls_without_a_campaign(world: World, contact: Contact, number: str) -> None:
    webhooks = [
        {"url": "https://9.9.9.9/inline", "events": ["*"], "signing_method": "none", "profile": profile}
        for profile in ("envelope", "batch")
    ]
    made = world.api.post(
        "calls/",
        {"contact_id": contact.public_id, "config": {"webhooks": webhooks}, "metadata": {"who": NAME}},
        idempotency_key=f"call-{number}",
    )
    assert made.status_code == 201, made.content
    world.run_for(hours=1)
    promised = world.say(
        "callbacks/",
        {
            "contact_id": contact.public_id,
            "scheduled_at": (world.now + timedelta(hours=3)).isoformat(),
            "notes": ABOUT,
        },
    )
    bulk = {"action": "edit", "filter": {"contact_id": contact.public_id}, "notes": ABOUT, "reason": f"from {number}"}
    world.say("callbacks/bulk/", bulk)
    world.say(f"callbacks/{promised['id']}/cancel/", {"reason": f"{NAME} wants none"})


def _an_inbound_call(world: World, number: str) -> None:
    facts: dict[str, Any] = {
        "call_id": None,
        "carrier_call_id": "in-quiet",
        "direction": "inbound",
        "from_number": number,
        "to_number": world.line.caller_ids[0],
    }
    ended: dict[str, Any] = {
        "outcome": "answered",
        "ended_reason": "contact_hangup",
        "duration_seconds": 20,
        "transcript": f"It is {NAME}",
    }
    reports = [
        Report(kind="ringing", event_id="in-q-r", occurred_at=world.now, **facts),
        Report(kind="answered", event_id="in-q-a", occurred_at=world.now, **facts),
        Report(kind="ended", event_id="in-q-e", occurred_at=world.now, **facts, **ended),
    ]
    carrier_reports.store("simulated", reports)
    carrier_reports.apply_stored(limit=10, now=world.now)


def _messages(world: World, number: str) -> None:
    world.say("messages/", {"contact": {"phone": number}, "body": f"Dear {NAME}", "metadata": {"to": NAME}})
    messages.send_due(limit=10, now=world.now)
    written = MessageReport(
        kind="received",
        message_id=None,
        carrier_message_id="sms-quiet",
        occurred_at=world.now,
        from_number=number,
        to_number=world.line.caller_ids[0],
        body=f"Yours, {NAME}",
    )
    message_reports.apply("simulated", [written], now=world.now)


def _an_import(world: World, number: str) -> None:
    spaced = f"{number[:3]} {number[3:5]} {number[5:]}"
    file = f"name,phone,time_zone\n{NAME},{number},Mars/Olympus\nJo,{spaced},Mars\nJo,0{number[3:]},\n".encode()
    answer = world.api.send("POST", "contacts/import/?file_name=Ottilie%20Quantz.csv", file, content_type="text/csv")
    assert answer.status_code in (201, 202), answer.content
    while imports.read_batch(Import.objects.latest("id").pk, now=world.now):
        pass


def _what_people_wrote(world: World, contact: Contact, number: str) -> None:
    world.say("suppressions/", {"phone": number, "reason": "manual", "source": f"a letter of {NAME}"})
    other = world.call()
    world.say(f"calls/{other['id']}/cancel/", {"reason": f"is {NAME.upper()} ({number[:3]} {number[3:]})"})
    answer = world.api.patch(f"contacts/{contact.public_id}/", {"name": f"{NAME} "})
    assert answer.status_code == 200, answer.content


def _what_receivers_answered(world: World) -> None:
    for delivery in Delivery.objects.select_related("event"):
        DeliveryAttempt.objects.create(
            delivery=delivery,
            number=1,
            started_at=world.now,
            url="https://9.9.9.9/",
            total_ms=1,
            answer=delivery.sent_body,
        )


_ALWAYS = {"start": "00:00", "end": "24:00"}
_RECORDING = "https://9.9.9.9/recordings/ottilie-quantz.wav"
_ANALYSIS = {
    "summary": ABOUT,
    "outcome_id": "Ottilie said yes",
    "score": 85,
    "structured_data": {"name": NAME},
    "flow": [{"questionName": "Your name?", "response": NAME, "transcript": f"{NAME}."}],
    "flow_completed": True,
    "last_step_name": NAME,
    "requests": [{"of": NAME}],
    "in_call_tools": [{"said": NAME}],
    "post_call_actions": [{"mail": NAME}],
}

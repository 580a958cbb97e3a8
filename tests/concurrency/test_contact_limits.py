"""A limit of three calls a day holds to the call, however many workers come at once.

Each round is a number that nobody has called: two contacts have it, four campaigns want both of them, and 32 threads
carry the messages of the eight first calls and of the retries that follow. The carrier's ledger is the judge: three
requests, neither more nor fewer. ``LIMIT_ROUNDS=200 make test ARGS=tests/concurrency`` takes minutes.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dialer.dialing import carrier_reports, placing
from dialer.dialing.placing import Claim
from dialer.models import Call, Campaign
from tests.concurrency.interleaving import PATIENCE, Rewrites, Threads, threads
from tests.factories import NOW, ROUND_THE_CLOCK, make_campaign, make_campaign_contact, make_contact, make_workspace
from tests.in_process_carrier import ended
from tests.pipeline import claim
from tests.simulated_carrier import RunningCarrier
from tests.world import RINGS_OUT, a_number

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(os.environ.get("LIMIT_ROUNDS", "8"))
THREADS = 32
CAMPAIGNS = 4
CONTACTS = 2
LIMIT = 3
DAY = timedelta(hours=24)
STEP = timedelta(minutes=2)
"""Between two looks: whoever was busy is due again, and so is the retry of whoever did not answer."""
MOST_LOOKS = 10

NOTHING: Rewrites = {}
NO_LOCK_ON_NUMBERS: Rewrites = {"lock_numbers": (("pg_advisory_xact_lock(k)", "k"),)}


class Turnstile:
    """Lets threads that are about to dial pass one by one, each when the call before it is over.

    The first ones wait for a crowd. Where limits were counted without the lock, everybody in it has counted and nobody
    has dialled.
    """

    def __init__(self, *, crowd: int) -> None:
        self._crowd = threading.Barrier(crowd)
        self._one = threading.Lock()
        self._passed = threading.local()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if sql.startswith("/* take_to_dialing */"):
            self._crowd.wait(PATIENCE)
            assert self._one.acquire(timeout=PATIENCE), "the call before is never over"
            self._passed.is_mine = True
        return execute(sql, params, many, context)

    def leave(self) -> None:
        if getattr(self._passed, "is_mine", False):
            self._passed.is_mine = False
            self._one.release()


@pytest.fixture
def ledger(simulated_carrier: RunningCarrier, settings: Settings) -> RunningCarrier:
    settings.SIMULATED_CARRIER_URL = simulated_carrier.url
    settings.SIMULATED_CARRIER_SECRET = simulated_carrier.secret
    return simulated_carrier


def make_campaigns() -> list[Campaign]:
    workspace = make_workspace(contact_limits=[{"max": LIMIT, "period_hours": 24, "scope": "number"}])
    schedule = {**ROUND_THE_CLOCK, "callback_retry_schedule": [1], "max_callback_attempts": 9}
    return [make_campaign(workspace, schedule=schedule) for _ in range(CAMPAIGNS)]


def a_number_wanted_by(campaigns: Sequence[Campaign]) -> str:
    phone = a_number(RINGS_OUT)
    contacts = [make_contact(campaigns[0].workspace, phone=phone) for _ in range(CONTACTS)]
    for campaign in campaigns:
        for contact in contacts:
            make_campaign_contact(campaign, contact)
    return phone


def carry(message: Claim, turnstile: Turnstile, *, now: datetime) -> None:
    """Place one call and, where it was dialled, let nobody answer."""
    try:
        if placing.place([message], now=now)["placed"]:
            carrier_reports.store("simulated", [ended(message.call_id, now, "no_answer")])
            carrier_reports.apply_stored(limit=100, now=now)
    finally:
        turnstile.leave()


def look(run: Threads, turnstile: Turnstile, *, now: datetime) -> bool:
    """Claim what is due and let 32 threads carry it, each message as often as there are threads for it."""
    claims = claim(now)
    if not claims:
        return False
    messages = [claims[i % len(claims)] for i in range(max(THREADS, len(claims)))]
    for carried in [run.start(partial(carry, message, turnstile, now=now), turnstile) for message in messages]:
        carried.result()
    return True


def test_a_number_on_two_contacts_in_four_campaigns_is_called_exactly_three_times_a_day(ledger: RunningCarrier) -> None:
    campaigns = make_campaigns()
    phones = []
    with threads(NOTHING, most=THREADS) as run:
        for _ in range(ROUNDS):
            phones.append(a_number_wanted_by(campaigns))
            looks = [look(run, Turnstile(crowd=1), now=NOW + step * STEP) for step in range(MOST_LOOKS)]
            assert not looks[-1], "there was no end to it"

    assert Counter(place.to for place in ledger.places()) == dict.fromkeys(phones, LIMIT)
    waiting = Call.objects.filter(status="queued")
    assert waiting.count() == ROUNDS * CAMPAIGNS * CONTACTS, "every chain waits for its next call"
    assert not waiting.filter(due_at__lt=NOW + DAY).exists()


def test_limits_that_are_counted_without_the_lock_are_seen_to_be_exceeded(ledger: RunningCarrier) -> None:
    phone = a_number_wanted_by(make_campaigns())
    with threads(NO_LOCK_ON_NUMBERS, most=THREADS) as run:
        look(run, Turnstile(crowd=CAMPAIGNS * CONTACTS), now=NOW)

    assert Counter(place.to for place in ledger.places())[phone] > LIMIT

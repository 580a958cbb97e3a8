"""How long the claim of 500 due calls takes: as the table of calls grows, beside a transaction that stays open, and
with the calls in a thousand campaigns.

The calls held are retries that are due from tomorrow on. The due ones are claimed as a tick does, by claims that
commit until all are taken, and are deleted afterwards, so that the next claim finds the same. The transaction in
another session has a snapshot, so that no dead row that came after it can be removed; the last claims beside it are
compared with those before it. The sizes take no turns, because a table only grows.
"""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import psycopg

from bench import filling
from bench.figures import Figure, Size
from bench.rounds import Rounds, at_most
from bench.rows import a_campaign, in_bulk
from dialer.dialing import claim
from dialer.models import Campaign
from dialer.workspaces.clock import database_now
from dialer.workspaces.statements import run

DUE = 500
CAMPAIGNS = 1_000
FLAT = 1.5
SMALLEST = 10_000
_CLAIMS = 15
_TIME, _RATIO, _BEFORE = f"claim of {DUE}", f"times that of {SMALLEST:,} held", "times that just before it"
_OPEN, _MANY = "a transaction stays open", f"{CAMPAIGNS:,} campaigns"


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("claim_growth")
    campaign = a_campaign()
    contact = filling.a_contact(campaign.workspace_id)
    sizes = [SMALLEST, 100_000, 1_000_000, *([10_000_000] if size.full else [])]
    first = 0.0
    for before, held in zip([0, *sizes], sizes, strict=False):
        with in_bulk():
            filling.queued_calls([campaign], contact, held - before, first=timedelta(days=1), step=timedelta(seconds=1))
        filling.analyse()
        with rounds.arm(f"{held:,} held"):
            found = _add(rounds, f"{held:,} held", [campaign], contact, size, beside=first)
            first = first or found
    with rounds.arm(_OPEN):
        _beside_open_transaction(rounds, campaign, contact, size)
    many = [
        Campaign.objects.create(
            workspace_id=campaign.workspace_id,
            persona_id=campaign.persona_id,
            line_id=campaign.line_id,
            name=f"Bench {number}",
            schedule=campaign.schedule,
            status="running",
        )
        for number in range(CAMPAIGNS)
    ]
    filling.analyse()
    with rounds.arm(_MANY):
        _add(rounds, _MANY, many, contact, size, beside=first)
    arms = [*(f"{held:,} held" for held in sizes[1:]), _MANY]
    goals = {(arm, _RATIO): at_most(FLAT) for arm in arms}
    yield from rounds.figures({**goals, (_OPEN, _BEFORE): at_most(FLAT)})


def _add(rounds: Rounds, arm: str, campaigns: Sequence[Campaign], contact: UUID, size: Size, *, beside: float) -> float:
    """Return the milliseconds of a claim, and add those of each round, and how many times ``beside`` they are."""
    found = []
    for _ in range(size.rounds):
        found.append(1000 * statistics.median(_claim(campaigns, contact) for _ in range(_CLAIMS)))
        rounds.add(arm, _TIME, "ms", found[-1], better="lower")
        if beside:
            rounds.add(arm, _RATIO, "ratio", found[-1] / beside, better="lower")
    return statistics.median(found)


def _beside_open_transaction(rounds: Rounds, campaign: Campaign, contact: UUID, size: Size) -> None:
    count, pause = size.of(short=60, full=600), size.of(short=0, full=1)
    before = statistics.median(_claim([campaign], contact) for _ in range(_CLAIMS))
    times = []
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("SELECT count(*) FROM workspaces_workspace")
        began = time.monotonic()
        for _ in range(count):
            times.append(_claim([campaign], contact))
            time.sleep(pause)
        lasted = time.monotonic() - began
    last = statistics.median(times[-_CLAIMS:])
    rounds.add(_OPEN, _TIME, "ms", 1000 * last, better="lower")
    rounds.add(_OPEN, _BEFORE, "ratio", last / before, better="lower")
    rounds.note(_OPEN, f"open for {lasted:.0f} s, in which {count * DUE:,} calls were queued, claimed and deleted")


def _claim(campaigns: Sequence[Campaign], contact: UUID) -> float:
    """Claim as many due calls as there are, as a tick does; returns the seconds that it took."""
    filling.queued_calls(campaigns, contact, DUE, first=timedelta(hours=-1), step=timedelta(milliseconds=1))
    claimed = 0
    now = database_now()
    began = time.perf_counter()
    while claimed < DUE:
        batch = claim.claim_due(limit=DUE, now=now)
        assert batch, "nothing was claimed although calls are due"
        claimed += len(batch)
    took = time.perf_counter() - began
    run("bench_forget_claimed", "DELETE FROM dialer_call WHERE lease_until IS NOT NULL")
    return took

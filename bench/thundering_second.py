"""Twenty thousand calls due in the same second: is any lost or placed twice, in which order, and how fast.

Ringback's calls have all four ranks. Two ways lead there: the second is known before, so that calls are claimed ahead,
or all fall due unforeseen, as when a pause ends. A queue of plain jobs knows no ranks, and its calls are fewer.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from bench import rows
from bench.figures import Figure, Size
from bench.fleet import CARRIER_IN_PROCESS, ENGINE, Fleet, fleet
from bench.peers.catalogue import PEERS, Peer
from bench.peers.workers import PeerFailed, running
from bench.rounds import NONE, Rounds
from dialer.models import Campaign
from dialer.rules.statuses import Rank
from dialer.workspaces.clock import database_now

FORESEEN, UNFORESEEN = "ringback, known before", "ringback, all at once"
LOST, TWICE, OUT_OF_ORDER, DRAINED = "not placed", "placed twice", "out of order", "drained"
_FAR = 100
"""Places that count as out of order: several workers' threads hold a message each at one time."""
_CALLS = 20_000
_LEAD_SECONDS = 10.0
_PATIENCE_SECONDS = 120


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("thundering_second")
    campaign = rows.a_campaign()
    for _ in range(size.rounds if size.full else 1):
        for arm, lead in ((FORESEEN, _LEAD_SECONDS), (UNFORESEEN, 0.0)):
            with rounds.arm(arm), fleet(ENGINE, **CARRIER_IN_PROCESS) as processes:
                _ours(rounds, arm, processes, campaign, lead=lead)
        for peer in PEERS:
            with rounds.arm(peer.name):
                _peer(rounds, peer, size.of(short=_CALLS // 20, full=_CALLS))
    yield from rounds.figures(
        {(arm, name): NONE for arm in (FORESEEN, UNFORESEEN) for name in (LOST, TWICE, OUT_OF_ORDER)}
    )


def _ours(rounds: Rounds, arm: str, processes: Fleet, campaign: Campaign, *, lead: float) -> None:
    first = database_now() + timedelta(seconds=lead)
    rank_of: dict[UUID, Rank] = {}
    with transaction.atomic():
        for rank in reversed(Rank):  # the least important first, so that the order of rows is not that of ranks
            made = rows.callbacks(campaign, _CALLS // len(Rank), first=first, step=timedelta(0), rank=rank)
            rank_of |= {row.id: rank for row in made}
    due = first.timestamp() if lead else time.time()
    processes.wait_until_asked(rank_of, seconds=lead + _PATIENCE_SECONDS)
    asked = [(call_id, at) for call_id, at in processes.asked() if call_id in rank_of]
    times = Counter(call_id for call_id, _ in asked)
    behind = places_behind([rank_of[call_id] for call_id, _ in asked])
    rounds.add(arm, LOST, "calls", _CALLS - len(times), better="lower")
    rounds.add(arm, TWICE, "calls", sum(count > 1 for count in times.values()), better="lower")
    rounds.add(arm, OUT_OF_ORDER, "calls", sum(places > _FAR for places in behind), better="lower")
    rounds.add(arm, "furthest out of order", "places", max(behind), better="lower")
    rounds.add(arm, DRAINED, "1/s", len(asked) / (asked[-1][1] - due))
    rounds.note(
        arm,
        f"{_CALLS:,} calls, a quarter of each rank; out of order: more than {_FAR} places; "
        "placed twice: as seen when the last had been placed",
    )


def places_behind(ranks: Sequence[Rank]) -> list[int]:
    """Return for each call how many places before one of a higher rank it was placed; 0 where none came after it.

    Retries and first calls share their turns by design, so they count as one rank.
    """
    levels = [min(rank, Rank.RETRY) for rank in ranks]
    last = {level: place for place, level in enumerate(levels)}
    return [
        max([last[higher] - place for higher in last if higher < level] + [0]) for place, level in enumerate(levels)
    ]


def _peer(rounds: Rounds, peer: Peer, count: int) -> None:
    lead = 5 + count / 400
    with running(peer) as workers:
        with workers.handing("at", count=count, lead=lead) as go:
            handed = go()
        with suppress(PeerFailed):  # what did not come in time is counted below
            workers.wait_for_end(handed, seconds=lead + _PATIENCE_SECONDS)
        asked = workers.asked(handed)
        if not asked:
            message = f"none of {count:,} calls was placed within {_PATIENCE_SECONDS} s"
            raise PeerFailed(message)
    rounds.add(peer.name, LOST, "calls", handed.count - len(asked), better="lower")
    rounds.add(peer.name, TWICE, "calls", sum(repeats > 0 for *_, repeats in asked), better="lower")
    rounds.add(peer.name, DRAINED, "1/s", len(asked) / (max(at for _, at, _ in asked) - asked[0][0]))
    rounds.note(peer.name, f"{count:,} calls; a call handed out again is placed once, because its row says so")

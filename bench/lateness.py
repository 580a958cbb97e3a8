"""How late calls are at a steady rate, with ten thousand and a million callbacks held for later, beside the peers.

Each call is due at its own time; late is the time from then to the request to its carrier. In a plain job that is the
end of the transaction that notes that the call is being placed.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from bench import rows
from bench.figures import Figure, Size
from bench.fleet import CARRIER_IN_PROCESS, ENGINE, Fleet, fleet
from bench.peers.catalogue import PEERS
from bench.peers.workers import PeerFailed, Workers, running
from bench.rounds import NONE, Goal, Rounds, at_most
from dialer.models import Campaign
from dialer.rules.statuses import Rank
from dialer.workspaces.clock import database_now

OURS = "ringback"
_MIDDLE = 200
"""Calls per second at which peers are measured in the short form; in the full one it is all rates."""
RATES = (50, _MIDDLE, 500)
_FEW, _MANY, _MOST = 10_000, 1_000_000, 10_000_000
_LEAD_SECONDS = 5.0
_PATIENCE_SECONDS = 15
_PEERS_PATIENCE_SECONDS = 40  # django-q2 looks at its schedules every 30 s
_MISSING = "not placed in time"
_WARM_UP = 200
_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def measure(size: Size) -> Iterator[Figure]:
    rounds = Rounds("lateness")
    goals: dict[tuple[str, str], Goal] = {}
    campaign = rows.a_campaign()
    held = 0
    rates = RATES if size.full else (_MIDDLE,)
    for more in (_FEW, _MANY, _MOST) if size.full else (_FEW, _MANY):
        rows.hold(campaign, more - held)
        held = more
        for rate in RATES:
            goals[OURS, _named("p50", rate, held)] = at_most(20)
            goals[OURS, _named("p99", rate, held)] = at_most(60 if rate <= _MIDDLE else 120)
            goals[OURS, _named(_MISSING, rate, held)] = NONE
        for _ in range(size.rounds if size.full else 1):
            with rounds.arm(OURS), fleet(ENGINE, **CARRIER_IN_PROCESS) as processes:
                warm_up = rows.callbacks(
                    campaign, _WARM_UP, first=database_now(), step=timedelta(0), rank=Rank.PROMISED
                )
                processes.wait_until_asked([row.id for row in warm_up], seconds=_PATIENCE_SECONDS)
                for rate in RATES:
                    _ours(rounds, processes, campaign, rate=rate, seconds=size.of(short=10, full=30), held=held)
            if held == _FEW:
                for peer in PEERS:
                    with rounds.arm(peer.name), running(peer) as workers:
                        _peer(rounds, workers, rates=rates, held=held, seconds=size.of(short=4, full=30))
    if size.full:
        for peer in PEERS:
            arm = f"{peer.name}, {_MANY:,} held"
            with rounds.arm(arm), running(peer) as workers:
                _peer(rounds, workers, rates=RATES, held=_MANY, seconds=30)
    yield from rounds.figures(goals)


def _ours(rounds: Rounds, processes: Fleet, campaign: Campaign, *, rate: int, seconds: int, held: int) -> None:
    due = rows.callbacks(
        campaign,
        rate * seconds,
        first=database_now() + timedelta(seconds=_LEAD_SECONDS),
        step=timedelta(seconds=1 / rate),
        rank=Rank.PROMISED,
    )
    asked = processes.wait_until_asked([row.id for row in due], seconds=_LEAD_SECONDS + seconds + _PATIENCE_SECONDS)
    _show(rounds, OURS, [1000 * (asked[row.id] - row.due) for row in due if row.id in asked], rate=rate, held=held)
    rounds.add(OURS, _named(_MISSING, rate, held), "calls", len(due) - len(asked), better="lower")


def _peer(rounds: Rounds, workers: Workers, *, rates: Sequence[int], held: int, seconds: int) -> None:
    """Hold calls by the peer's own delay, then let calls fall due at each rate."""
    cap = 60.0 if held <= _FEW else 600.0
    with workers.handing("at", count=held, lead=30 * 24 * 3600, within=cap) as go:
        holding = go()
    if holding.count < held:
        message = f"gave up after {cap:.0f} s: held {holding.count:,} of {held:,}"
        raise PeerFailed(message)
    rounds.add(workers.peer.name, f"taken to hold, {held:,}", "1/s", holding.count / holding.seconds)
    for rate in rates:
        lead = 2 + rate * seconds / 500  # so long it may take to hand them over
        with workers.handing("at", count=rate * seconds, lead=lead, step=1 / rate) as go:
            handed = go()
        if handed.seconds > lead:
            slow = f"handing over {handed.count:,} calls took {handed.seconds:.1f} s and delayed some that were due"
            rounds.note(workers.peer.name, slow)
        patience = lead + seconds + _PEERS_PATIENCE_SECONDS
        with suppress(PeerFailed):  # what did not come in time is counted below
            workers.wait_for_end(handed, seconds=patience)
        asked = workers.asked(handed)
        name = workers.peer.name
        _show(rounds, name, [1000 * (at - due) for due, at, _ in asked], rate=rate, held=held)
        rounds.add(name, _named(_MISSING, rate, held), "calls", handed.count - len(asked), better="lower")


def _show(rounds: Rounds, arm: str, late: Sequence[float], *, rate: int, held: int) -> None:
    ordered = sorted(late)
    for name, share in _PERCENTILES.items():
        if ordered:
            value = ordered[min(int(len(ordered) * share), len(ordered) - 1)]
            rounds.add(arm, _named(name, rate, held), "ms", value, better="lower")


def _named(what: str, rate: int, held: int) -> str:
    return f"{what} at {rate}/s, {held:,} held"

"""Two workers at one number at one moment: whoever comes second must see the first, or a limit is exceeded.

The world of the simulation has one worker, as time has one thread there. Here each message is cut into calls, and of
two calls to one number the second is placed from beginning to end while the first stands between its last look and
its compare-and-set: where the number is locked, the second waits.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import zip_longest
from uuid import UUID

from dialer.carriers.base import Answer, PlaceRequest, Refused
from dialer.dialing import placing
from dialer.dialing.placing import Claim
from dialer.models import Call
from tests.concurrency.interleaving import Racer, Rewrites, Stop, Threads, threads
from tests.simulation.carrier import Network, answering
from tests.simulation.checker import Judgement, judge
from tests.simulation.engine import Engine
from tests.simulation.record import Record
from tests.simulation.run import dsn, pooled
from tests.simulation.world import ROUND_THE_CLOCK, START, THREE_A_DAY, CampaignPlan, World

NUMBERS = 3
AWHILE = timedelta(hours=2)
SCHEDULE = {"calling_hours": ROUND_THE_CLOCK, "callback_retry_schedule": [10, 10]}
"""Two contacts of a number, in a campaign each: six calls where three are allowed."""


class _RefusingNetwork(Network):
    """Refuses every call at once, so that it is over, and counted, before the rival goes on."""

    def _place(self, request: PlaceRequest) -> Answer:
        self._write(request, "refused", outcome="network_error")
        return Refused(outcome="network_error", reason="refused")


class _Rivals:
    """Places each call of a message as if it were a message of its own, two of one number at once."""

    def __init__(self, engine: Engine, running: Threads) -> None:
        self.engine = engine
        self.running = running

    def place(self, message: Sequence[tuple[str, int]]) -> None:
        by_number: dict[str, list[Claim]] = defaultdict(list)
        for call_id, generation in message:
            number = Call.objects.get(pk=call_id).number
            by_number[number].append(Claim(call_id=UUID(call_id), generation=generation))
        for claims in by_number.values():
            for first, second in zip_longest(claims[::2], claims[1::2]):
                self._race(first, second)

    def _race(self, first: Claim, second: Claim | None) -> None:
        stop = Stop(before="take_to_dialing")
        self.running.begin_round()
        standing = self.running.start(lambda: placing.place([first], now=self.engine.now), stop, name="first")
        if second is not None and self._stands(stop, standing):
            rival = self.running.start(lambda: placing.place([second], now=self.engine.now), name="second")
            self.running.held_back(rival, by=standing)
            stop.go_on.set()
            rival.result()
        elif second is not None:
            placing.place([second], now=self.engine.now)
        stop.go_on.set()
        standing.result()

    def _stands(self, stop: Stop, standing: Racer) -> bool:
        """Tell whether the first came so far; it may have been held before."""
        while not stop.reached.wait(0.005):
            if standing.is_done:
                return False
        return True


def simulate_rivals(rewrites: Rewrites) -> Judgement:
    """Let two workers race for some hours, on an empty database, and judge what the carrier saw."""
    record = Record()
    engine = Engine(start=START, seed="rivals", is_smooth=True)
    network = _RefusingNetwork(seed="rivals", record=record, clock=engine.clock, deliver=engine.deliver)
    with answering(network), pooled(), threads(rewrites) as running:
        _settle(World(record=record, dice=random.Random("rivals")))  # noqa: S311 — repeatable
        engine.place = _Rivals(engine, running).place
        engine.run(START + AWHILE)
    return judge(record, dsn(), at=engine.now)


def _settle(world: World) -> None:
    settings = {
        "name": "Rivals",
        "time_zone": "UTC",
        "schedule": {},
        "contact_limits": THREE_A_DAY,
        "stale_after_hours": 72,
    }
    tenant = world.open(settings, now=START)
    phones = [world.number("+4930") for _ in range(NUMBERS)]
    for name in ("one", "other"):
        rows = [{"phone": phone, "time_zone": "UTC", "name": name, "external_id": name + phone} for phone in phones]
        people = world.meet(tenant.id, rows, now=START)
        world.begin(tenant, CampaignPlan(name=name, share=1, schedule=SCHEDULE), people, now=START)

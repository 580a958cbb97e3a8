"""What people do in the two weeks: operators, agents, callers, and whoever runs the machines; by seeded dice.

Each deed is one of the shipped verbs. What was taken is written into the journal; what was refused, for a reason that
the verb names, is counted and changes nothing.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from callbacks import bulk
from callbacks.models import BulkAction
from callbacks.refusals import Refused
from callbacks.scheduling import Force, Scheduled
from dialer.campaigns.lifecycle import CampaignNotStartable
from dialer.carriers.base import Report
from dialer.contacts.contacts import ContactOnACall
from dialer.dialing.single_calls import NumberSuppressed
from dialer.models import Contact
from dialer.workspaces.transitions import TransitionConflict
from tests.simulation import agents, deeds, stewards
from tests.simulation.carrier import Network
from tests.simulation.deeds import Nobody
from tests.simulation.engine import Engine
from tests.simulation.world import World

REFUSALS = (
    Refused,
    CampaignNotStartable,
    Contact.DoesNotExist,
    ContactOnACall,
    NumberSuppressed,
    TransitionConflict,
)
TAKES_OUT = {"skip": "skipped", "cancel": "cancelled", "complete": "completed"}
HALF = timedelta(milliseconds=500)
"""People act between the seconds on which the engine works, so that what came first is never in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that a deed needs."""

    world: World
    engine: Engine
    network: Network
    dice: random.Random

    @property
    def now(self) -> datetime:
        return self.engine.now

    def told(self, what: str, subject: object, value: Any = None) -> None:
        """Write down what was done to whom, after Ringback said yes."""
        self.world.record.told(self.now, what, (str(subject),), value)

    def promised(
        self,
        made: Scheduled,
        *,
        wanted: datetime | None = None,
        local: datetime | None = None,
        force: Force | None = None,
    ) -> None:
        """Write down which time was asked for; the answer says which call will be made."""
        checks = sorted(force.checks) if force else []
        self.told("forced", made.callback.call_id, checks)
        self.told("promised", made.callback.call_id, {"wanted": wanted, "local": local, "forced": checks})


class Script:
    """Plans what is done when, and counts what was done."""

    def __init__(self, *, world: World, engine: Engine, network: Network, seed: str) -> None:
        self.stage = Stage(
            world=world,
            engine=engine,
            network=network,
            dice=random.Random(f"{seed}:script"),  # noqa: S311 — repeatable
        )
        self.done: Counter[str] = Counter()

    def write(self, *, until: datetime, deeds_per_day: int) -> None:
        """Plan everything: deeds at any time of day, and the few things that happen once."""
        start = self.stage.now
        names = list(deeds.DEEDS)
        weights = [deeds.DEEDS[name][0] for name in names]
        for _ in range(round((until - start) / timedelta(days=1) * deeds_per_day)):
            name = self.stage.dice.choices(names, weights)[0]
            self.plan(start + self.stage.dice.random() * (until - start), name, deeds.DEEDS[name][1])
        for name, day, hours, work in stewards.PLAN:
            self.plan(start + timedelta(days=day, hours=hours), name, work)

    def answered(self, when: datetime, call_id: UUID, chance: float) -> None:
        """Let the voice agent of an answered call do what it does; ``chance`` is the call's own."""
        dice = random.Random(chance)  # noqa: S311 — repeatable
        work = agents.choose(dice)
        if work is not None:
            stage = replace(self.stage, dice=dice)
            name = f"agent: {work.__name__}"
            self.plan(when, name, lambda _: work(stage, call_id))

    def applied(self, report: Report) -> None:
        """Write down what a worker took up, and whom a call itself made one who is not to be called."""
        world, now = self.stage.world, self.stage.now
        if report.direction == "inbound":
            self._took_up_inbound(report)
            return
        world.record.took_up(
            now,
            call_id=str(report.call_id),
            kind=report.kind,
            outcome=report.outcome or "",
            occurred_at=report.occurred_at,
        )
        if report.outcome == "dnc_request":
            number = world.record.number_of(str(report.call_id))
            world.record.told(now, "suppressed", (world.owners[number], number), value=True)

    def _took_up_inbound(self, report: Report) -> None:
        """Write down whose talk with us a worker heard of, and how long it was."""
        assert report.from_number is not None
        if report.kind == "ended" and report.outcome == "answered":
            contact = self.stage.world.only_one_with(report.from_number)
            began = report.occurred_at - timedelta(seconds=report.duration_seconds or 0)
            self.stage.told("talked", contact, {"seconds": report.duration_seconds, "began": began})

    def bulk_ended(self, bulk_id: UUID) -> None:
        """Ask what came of a bulk action, as its page does, and write down what it answers for each callback."""
        job = BulkAction.objects.get(pk=bulk_id)
        chosen: Mapping[int, UUID] = self.stage.world.bulks.pop(bulk_id, {})
        if not chosen:
            return
        refused = {row.callback_id for row in bulk.refused_rows(job)}
        done = [call_id for callback_id, call_id in chosen.items() if callback_id not in refused]
        self.stage.told("bulk", bulk_id, {"action": job.action, "said": job.done, "total": job.total, "done": done})
        for call_id in done:
            self.stage.told("taken out", call_id, TAKES_OUT[job.action])

    def plan(self, when: datetime, name: str, work: "Callable[[Stage], object]") -> None:
        """Let something be done at about that time."""
        self.stage.engine.at(when.replace(microsecond=0) + HALF, lambda: self._do(name, work))

    def _do(self, name: str, work: "Callable[[Stage], object]") -> None:
        try:
            work(self.stage)
        except Nobody:
            return
        except REFUSALS:
            self.done["refused"] += 1
        else:
            self.done[name] += 1

"""Small worlds in which one thing happens: a few people, hours instead of weeks, ends of calls as they are scripted.

A mutant is shown in one of these, and the engine as it is shipped must come through each without a violation.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.carrier import Network, answering
from tests.simulation.checker import Judgement, Violation, judge
from tests.simulation.engine import Engine
from tests.simulation.record import Record
from tests.simulation.run import dsn, errors, pooled
from tests.simulation.script import Script, Stage
from tests.simulation.world import ROUND_THE_CLOCK, START, CampaignPlan, Settings, Tenant, World

Deed = Callable[[Stage], None]

EACH_LONGER: Settings = {outcome: {"delays": [20, 50, 110], "limit": 3} for outcome in ("no_answer", "busy")}
"""Minutes, so that the order and the size of delays show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What there is, how calls end, and what is done when (minutes after the start)."""

    name: str
    hours: float
    ends: Sequence[str] = ("no_answer",)
    talk: timedelta = timedelta(seconds=20)
    people: int = 1
    zone: str = "UTC"
    starts_at: datetime = START + timedelta(hours=12)
    workspace: Mapping[str, Any] = field(default_factory=dict)
    campaigns: Sequence[CampaignPlan] = (  # each calls a contact of its own on the same numbers
        CampaignPlan(name="drill", share=1, schedule={"calling_hours": ROUND_THE_CLOCK}, rules=EACH_LONGER),
    )
    other_workspace: bool = False
    """There is a second workspace, with nobody in it."""
    deeds: Sequence[tuple[float, Deed]] = ()
    silent: bool = False
    """The carrier answers, and reports nothing: it has to be asked."""

    def run(self, at_work: AbstractContextManager[None] | None = None) -> Judgement:
        """Let the time pass on an empty database; ``at_work`` takes a guard out of the engine for that time."""
        record = Record()
        engine = Engine(start=self.starts_at, seed=self.name, is_smooth=True, heartbeat=timedelta(days=1))
        network = Network(
            seed=self.name,
            record=record,
            clock=engine.clock,
            deliver=engine.deliver if not self.silent else lambda *_: None,
            scripted=self.ends,
            talk=self.talk,
            is_smooth=True,
        )
        world = World(record=record, dice=random.Random(self.name))  # noqa: S311 — chance that can be repeated
        seen: list[Violation] = []
        end = self.starts_at + timedelta(hours=self.hours)
        with answering(network), pooled(), errors(seen):
            self._settle(world)
            script = Script(world=world, engine=engine, network=network, seed=self.name)
            network.found, engine.applied, engine.bulk_ended = engine.hear, script.applied, script.bulk_ended
            for minutes, deed in self.deeds:
                script.plan(self.starts_at + timedelta(minutes=minutes), "deed", deed)
            with at_work or nullcontext():
                engine.run(end)
                return judge(record, dsn(), at=end, watched=seen)

    def _settle(self, world: World) -> None:
        tenant = self._open(world, "Drill")
        world.tenants.append(tenant)
        if self.other_workspace:
            self._open(world, "Other")
        phones = [world.number("+4930") for _ in range(self.people)]
        for plan in self.campaigns or (None,):
            name = plan.name if plan else "nobody's"
            rows = [
                {"phone": phone, "time_zone": self.zone, "name": "Somebody", "external_id": f"{name} {phone}"}
                for phone in phones
            ]
            people = world.meet(tenant.id, rows, now=self.starts_at)
            tenant.people += people
            if plan is not None:
                world.begin(tenant, plan, people, now=self.starts_at)

    def _open(self, world: World, name: str) -> Tenant:
        settings = {
            "name": name,
            "time_zone": "UTC",
            "schedule": {"calling_hours": ROUND_THE_CLOCK},
            "contact_limits": [],
            "stale_after_hours": 72,
            **self.workspace,
        }
        return world.open(settings, now=self.starts_at)

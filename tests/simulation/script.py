"""What people do in the two weeks: operators, agents, and whoever runs the machines; by seeded dice."""

import random
from collections import Counter
from datetime import datetime

from tests.simulation.engine import Engine
from tests.simulation.world import World


class Script:
    def __init__(self, *, world: World, engine: Engine, seed: str) -> None:
        self.world = world
        self.engine = engine
        self.dice = random.Random(f"{seed}:script")  # noqa: S311 — chance that can be repeated
        self.done: Counter[str] = Counter()

    def write(self, *, until: datetime, deeds_per_day: int) -> None:
        """Plan everything."""

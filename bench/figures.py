"""What every scenario of the bench returns, so that one runner can print, keep and plot all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Figure:
    """One measured quantity of one arm of a scenario, with a value for each round.

    ``name`` says what was measured and ``unit`` in what ("1/s", "ms", "ms of CPU", "ratio", "bytes"). ``goal`` is what
    the figure has to reach, as the README prints it (empty where there is none), and ``reached`` whether its median
    did (``None`` without a goal). An arm that cannot do what the scenario asks has no values and an ``error``:
    "not supported: …" or what it failed with. ``note`` holds whatever a reader needs to judge the figure: a batch size,
    what an arm lost or did twice.
    """

    scenario: str
    arm: str
    name: str
    unit: str
    values: Sequence[float] = field(default_factory=list)
    better: Better = "higher"
    goal: str = ""
    reached: bool | None = None
    note: str = ""
    error: str = ""


@dataclass(frozen=True)
class Size:
    """How large a run is: the short form shows that a scenario works, the full one is what is published."""

    full: bool
    rounds: int

    def of(self, *, short: int, full: int) -> int:
        return full if self.full else short

"""What a run of the bench found, as it is kept in ``results.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.figures import Figure
from bench.meters import why_busy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """A scenario's figures, what the machine did besides, and what the scenario failed with, if it did."""

    name: str
    began: str
    seconds: float
    load_before: float
    load_after: float
    others_cores: float
    steal: float
    figures: Sequence[Figure] = field(default_factory=list)
    error: str = ""

    @property
    def why_busy(self) -> str:
        """Why these are not figures of an idle machine; empty if they are."""
        return why_busy(cores=self.others_cores, steal=self.steal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run: when, how, on what, and what came out.

    A run of some scenarios into a folder that has results takes the others from there.
    """

    began: str
    command: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    durability: Mapping[str, Mapping[str, str]]
    peers: Mapping[str, str]
    scenarios: Sequence[ScenarioResult]

"""Values of a scenario's arms, gathered round by round, as figures."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from bench.figures import Better, Figure


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure's median has to reach: as it is printed, and the test."""

    text: str
    is_reached: Callable[[float], bool]


def at_least(least: float) -> Goal:
    return Goal(f"≥ {least:g}", lambda value: value >= least)


def at_most(most: float) -> Goal:
    return Goal(f"≤ {most:g}", lambda value: value <= most)


def more_than(bound: float) -> Goal:
    return Goal(f"> {bound:g}", lambda value: value > bound)


NONE = Goal("0", lambda value: value == 0)


@dataclass(slots=True)
class _Gathered:
    unit: str
    better: Better
    values: list[float] = field(default_factory=list)


class Rounds:
    """Gathers values and errors; an arm that fails in one round keeps what it reached in the others."""

    def __init__(self, scenario: str) -> None:
        self._scenario = scenario
        self._gathered: dict[tuple[str, str], _Gathered] = {}
        self._errors: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def add(self, arm: str, name: str, unit: str, value: float, *, better: Better = "higher") -> None:
        self._gathered.setdefault((arm, name), _Gathered(unit, better)).values.append(value)

    def note(self, arm: str, text: str) -> None:
        """Say what a reader needs to judge an arm; its last note counts."""
        self._notes[arm] = text

    @contextmanager
    def arm(self, name: str) -> Iterator[None]:
        """Keep an arm's failure as its error, so that the other arms go on."""
        print(f"  {self._scenario}: {name}", flush=True)
        try:
            yield
        except Exception as error:  # noqa: BLE001 — whatever a peer fails with is what there is to say of it
            self._errors[name] = f"{type(error).__name__}: {error}"
            print(f"  {self._scenario}: {name} failed: {self._errors[name]}", flush=True)

    def figures(self, goals: Mapping[tuple[str, str], Goal]) -> Iterator[Figure]:
        """Return a figure for each arm and name, with its goal, and one for each arm that failed."""
        arms = list(dict.fromkeys(arm for arm, _ in self._gathered))
        for (arm, name), gathered in sorted(self._gathered.items(), key=lambda item: arms.index(item[0][0])):
            goal = goals.get((arm, name))
            yield Figure(
                scenario=self._scenario,
                arm=arm,
                name=name,
                unit=gathered.unit,
                values=gathered.values,
                better=gathered.better,
                goal=goal.text if goal else "",
                reached=goal.is_reached(median(gathered.values)) if goal else None,
                note=self._notes.get(arm, ""),
            )
        for arm, error in self._errors.items():
            yield Figure(scenario=self._scenario, arm=arm, name="", unit="", error=error)

"""One deliberate fault in the product, and the tests that must notice it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """Replaces ``old``, which stands exactly once in ``file``, by ``new``."""

    file: str
    """Relative to the top of the project."""
    name: str
    """A sentence that says what is broken."""
    old: str
    new: str
    tests: str
    """What pytest is asked to run, separated by spaces: the smallest selection that must fail."""

    def selection(self) -> list[str]:
        return self.tests.split()

    def applied_to(self, text: str) -> str:
        """Return the file with the fault in it; raises :class:`NotApplicable`."""
        if (count := text.count(self.old)) != 1:
            raise NotApplicable(self, f"its old text stands {count} times in {self.file}")
        if self.old == self.new:
            raise NotApplicable(self, "it changes nothing")
        return text.replace(self.old, self.new)

    def diff(self) -> str:
        """Return the change as the lines that go and the lines that come."""
        return "\n".join([*_marked("-", self.old.splitlines()), *_marked("+", self.new.splitlines())])


class NotApplicable(Exception):
    """The product has changed under the mutant: its text must be brought up to date."""

    def __init__(self, mutant: Mutant, why: str) -> None:
        super().__init__(f"{mutant.name!r}: {why}")


def selected_files(mutants: Iterable[Mutant]) -> set[Path]:
    """Return the files that the selections of the mutants name."""
    return {Path(test.partition("::")[0]) for mutant in mutants for test in mutant.selection()}


def _marked(sign: str, lines: list[str]) -> list[str]:
    return [f"    {sign} {line}" for line in lines]

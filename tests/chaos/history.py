"""What was seen of a storm: who was to be called, what the carrier and the receiver wrote, and what was done to whom.

Only ``calls`` are the product's own word; they are asked for what nobody else can know: what it tells a person.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from dialer.carriers.simulation.ledger import Place
from tests.chaos.faults import Fault
from tests.chaos.inbox import Receipt

RETRIED = frozenset({"01", "02", "03", "06", "17"})
"""Scripts whose calls end with what the default policy retries."""
NEVER_ACCEPTED = frozenset({"04", "15"})
"""Scripts whose request the carrier never takes: refused for good, or lost on its way."""
CANNOT_BE_LEARNT = frozenset({"14", "15"})
"""Scripts of whose calls nobody can tell how they ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A callback that was asked for, as the API has confirmed it."""

    call: str
    """Public id."""
    due_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with one number, whose last two digits say what the telephone does."""

    number: str
    has_first_call: bool
    promises: tuple[Promise, ...] = ()

    @property
    def script(self) -> str:
        return self.number[-2:]

    @property
    def is_retried(self) -> bool:
        return self.script in RETRIED

    def dials(self, *, retries: int) -> int:
        """Return how often the carrier accepts a call to this number where nothing goes wrong.

        A promise beside a first call is made to people only whose calls are not retried: the sum is then the same
        whichever comes first.
        """
        wanted = self.has_first_call + len(self.promises)
        if self.script in NEVER_ACCEPTED:
            return 0
        return wanted * (1 + retries) if self.is_retried else wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call as the product tells it; ``id`` is the public one."""

    id: str
    number: str
    status: str
    outcome: str
    is_handled: bool = False
    text: str = ""
    """The row, for a story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A worker takes a call that it will ask the carrier for: written by the worker before it does."""

    at: float
    life: str
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Everything that is judged."""

    people: Sequence[Person]
    places: Sequence[Place]
    calls: Sequence[CallRow]
    hands: Sequence[Hand] = ()
    receipts: Sequence[Receipt] = ()
    faults: Sequence[Fault] = ()
    recorded: AbstractSet[str] = frozenset()
    """Public ids of the events that were recorded."""
    answered: AbstractSet[tuple[str, int]] = frozenset()
    """Attempts (delivery's public id, number) whose row says that the receiver took them."""
    campaigns: Sequence[str] = field(default_factory=tuple)
    retries: int = 2
    delay_seconds: float = 60
    """Of every retry of the policy."""
    in_hand_seconds: float = 10
    """What the product itself allows a worker between taking a call and asking for it."""

"""Caller ids: a number that a line shows belongs to one workspace; its calls and texts go nowhere else.

A row per number of the installation says who has it; its key is the digits, so that the database refuses a second owner
however the number is written. Lines of one workspace may share a number. It is given back when none of them that is in
use shows it any more.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from dialer.models import CallerId, Line
from dialer.rules import phone_number
from dialer.workspaces import values
from dialer.workspaces.models import Workspace
from dialer.workspaces.statements import run
from dialer.workspaces.values import Unfit

LONGEST = 32
MOST = 1_000


class NumberInUse(Exception):
    """Another workspace has a number; it is not said which workspace. ``numbers`` as they were given."""

    def __init__(self, numbers: Collection[str]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


def read(value: object) -> list[str]:
    """Read the numbers that a line is to show; raises :class:`Unfit`."""
    if not isinstance(value, list) or len(value) > MOST:
        message = f"must be a list of at most {MOST:,} numbers"
        raise Unfit(message)
    found = [values.text(item, longest=LONGEST) for item in value]
    if not all(found):
        message = "must not contain an empty number"
        raise Unfit(message)
    return found


def lock(workspace_id: UUID) -> None:
    """Let one transaction at a time change what the workspace's lines show; before any of its lines is locked.

    Without it, one that archives a line could give back a number that another has just put on a second line.
    """
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)


def keep(line: Line, *, added: Collection[str]) -> None:
    """Claim what the line shows, and give back what no line of its workspace shows any more.

    ``added`` is what it has not shown before: raises :class:`NumberInUse` where another workspace has any of it. Other
    numbers are left to whoever has them. The caller has called :func:`lock` in this transaction.
    """
    if line.archived_at is None:
        # In one order everywhere; whoever waits for a claim that is not committed sees afterwards whose it became.
        run(
            "claim_caller_ids",
            """
            INSERT INTO dialer_callerid (digits, workspace_id)
            SELECT digits, %(workspace)s FROM unnest(%(digits)s::text[]) AS digits ORDER BY digits
            ON CONFLICT (digits) DO NOTHING
            """,
            {"workspace": line.workspace_id, "digits": sorted(_digits(line.caller_ids))},
        )
        others = CallerId.objects.exclude(workspace_id=line.workspace_id).filter(digits__in=_digits(added))
        elsewhere = set(others.values_list("digits", flat=True))
        if taken := [number for number in added if phone_number.digits_to_own(number) in elsewhere]:
            raise NumberInUse(taken)
    in_use = Line.objects.in_workspace(line.workspace_id).filter(archived_at=None)
    shown = _digits(number for numbers in in_use.values_list("caller_ids", flat=True) for number in numbers)
    CallerId.objects.in_workspace(line.workspace_id).exclude(digits__in=shown).delete()


def belongs_to_another(number: str, workspace_id: UUID) -> bool:
    """Tell whether another workspace has the number, however it is written."""
    owner = owner_of(phone_number.digits_to_own(number))
    return owner is not None and owner != workspace_id


def owner_of(digits: str) -> UUID | None:
    """Return the workspace that a number belongs to."""
    owner: UUID | None = CallerId.objects.filter(digits=digits).values_list("workspace_id", flat=True).first()
    return owner


def _digits(numbers: Iterable[str]) -> set[str]:
    return {digits for number in numbers if (digits := phone_number.digits_to_own(number))}

"""Caller ids: a number that a line shows belongs to one workspace, which alone gets its calls and texts.

One row per number of the installation names the owner. Its key is the digits, so that the database refuses a second
owner in any spelling. Lines of one workspace may share a number. The workspace gives it up when none of its active
lines shows it any more.
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
    """Another workspace, which is not named, owns a number; ``numbers`` are spelled as they were given."""

    def __init__(self, numbers: Collection[str]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


def read(value: object) -> list[str]:
    """Check the numbers that a line shows; raises :class:`Unfit`."""
    if not isinstance(value, list) or len(value) > MOST:
        message = f"must be a list of at most {MOST:,} numbers"
        raise Unfit(message)
    found = [values.text(item, longest=LONGEST) for item in value]
    if not all(found):
        message = "must not contain an empty number"
        raise Unfit(message)
    return found


def lock(workspace_id: UUID) -> None:
    """Let one transaction at a time change the caller ids of a workspace; must come before any lock of its lines.

    Without it, archiving a line could give up a number that a concurrent change puts on another line.
    """
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)


def keep(line: Line, *, added: Collection[str]) -> None:
    """Claim the numbers that the line shows, and give up those that no line of its workspace shows any more.

    ``added`` are the numbers new to the line: raises :class:`NumberInUse` if another workspace owns one of them. Old
    numbers stay with their owners. The caller has called :func:`lock` in this transaction.
    """
    if line.archived_at is None:
        # Ordered to avoid deadlocks; a transaction that waits for another's insert sees the new owner below.
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
    """Tell whether another workspace owns the number, in any spelling."""
    owner = owner_of(phone_number.digits_to_own(number))
    return owner is not None and owner != workspace_id


def owner_of(digits: str) -> UUID | None:
    """Return the id of the workspace that owns a number, ``None`` if nobody does."""
    owner: UUID | None = CallerId.objects.filter(digits=digits).values_list("workspace_id", flat=True).first()
    return owner


def _digits(numbers: Iterable[str]) -> set[str]:
    return {digits for number in numbers if (digits := phone_number.digits_to_own(number))}

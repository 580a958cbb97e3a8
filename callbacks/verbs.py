"""The verbs of a callback, defined once: routes, buttons, bulk actions and counts are built from this list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from callbacks import actions, editing, undoing
from callbacks.models import Callback
from callbacks.refusals import words_of
from callbacks.rules.statuses import UNDOABLE, CallbackStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb; ``do`` takes a callback's id, ``workspace_id``, ``actor``, ``now``, ``reason`` and ``takes``."""

    do: Callable[..., Callback]
    title: str
    explains: str
    said: str
    """The notice after it; ``{contact}`` and ``{when}`` are filled in with the contact and the time of the call."""
    did: str
    """Follows the number in a count: "7 rescheduled"."""
    icon: str
    submit: str = ""
    """The label of the dialog's button, if it is not the title."""
    takes: frozenset[str] = frozenset()
    from_: tuple[CallbackStatus, ...] = (CallbackStatus.PENDING,)
    can_be_undone: bool = False
    turns: tuple[str, ...] = ("scheduled_at", "id")
    """The order in which many callbacks are taken."""


VERBS: Mapping[str, Verb] = {
    "call_now": Verb(
        do=actions.call_now,
        title="Call now",
        explains="Due at once, ahead of all others. Only force passes the calling window, a limit or a pause.",
        said="{contact} is called next.",
        did="to be called next",
        icon="call",
        takes=frozenset({"force"}),
    ),
    "reschedule": Verb(
        do=actions.reschedule,
        title="Reschedule",
        explains="Moves the callback. Unless forced, a time that is not permitted is refused.",
        said="{contact} is to be called {when}.",
        did="rescheduled",
        icon="event",
        takes=frozenset({"force", "scheduled_at", "local_time"}),
    ),
    "skip": Verb(
        do=actions.skip,
        title="Skip",
        explains="Uses up the retry without a call; the policy schedules the next one, or the chain ends as exhausted.",
        said="The retry of {contact} is used up.",
        did="skipped",
        icon="skip_next",
        can_be_undone=True,
    ),
    "cancel": Verb(
        do=actions.cancel,
        title="Cancel",
        explains="Cancels the callback and every future retry of its chain.",
        said="{contact} is not called again.",
        did="cancelled",
        icon="cancel",
        submit="Yes, cancel",
        can_be_undone=True,
    ),
    "complete": Verb(
        do=actions.complete,
        title="Mark complete",
        explains="The contact was handled by other means; the chain ends as handled.",
        said="{contact} is done.",
        did="completed",
        icon="task_alt",
        can_be_undone=True,
    ),
    "edit": Verb(
        do=editing.edit,
        title="Edit",
        explains="Assigns a persona, who makes this call and those that follow it, or changes the notes.",
        said="The callback of {contact} is changed.",
        did="edited",
        icon="edit_note",
        submit="Save",
        takes=frozenset({"notes", "persona_id"}),
    ),
    "undo": Verb(
        do=undoing.undo,
        title="Undo",
        explains="Undoes a cancel, a skip or a completion, unless something took the callback's place: it is pending "
        "again, at the promised time.",
        said="{contact} is to be called again {when}.",
        did="undone",
        icon="undo",
        from_=UNDOABLE,
        # The callback that ended last: one that ended before it is not what the operator regrets.
        turns=("-updated_at", "-id"),
    ),
}


def counted(verb: str, *, done: int, refused: Mapping[str, int], dry_run: bool = False) -> str:
    """Say what was done to how many: ``7 rescheduled, 2 already being dialled``."""
    did = f"would be {VERBS[verb].did}" if dry_run else VERBS[verb].did
    why = (f"{count:,} {words_of(code)}" for code, count in sorted(refused.items(), key=lambda pair: -pair[1]))
    return ", ".join([f"{done:,} {did}", *why])

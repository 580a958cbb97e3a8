"""Draws ``docs/states.md`` from the moves that the writers of states keep: ``python -m tests.states_page``."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path

from callbacks.rules.statuses import CALLBACK_MOVES
from config.env import BASE_DIR
from dialer.rules.statuses import CALL_MOVES, CAMPAIGN_MOVES, CONTACT_MOVES
from webhooks.rules.statuses import ALLOWED

PAGE = Path(BASE_DIR, "docs", "states.md")
_DRAWN: Mapping[str, tuple[str, Mapping[StrEnum, Collection[StrEnum]]]] = {
    "Calls": ("Written by `dialer/calls/call_states.py` alone.", CALL_MOVES),  # type: ignore[dict-item]
    "Campaigns": ("Written by `lifecycle.py` and `completion.py` in `dialer/campaigns/`.", CAMPAIGN_MOVES),  # type: ignore[dict-item]
    "Campaign contacts": ("Written by `dialer/calls/campaign_contacts.py` alone.", CONTACT_MOVES),  # type: ignore[dict-item]
    "Callbacks": ("Written by `callbacks/callback_states.py` alone.", CALLBACK_MOVES),  # type: ignore[dict-item]
    "Webhook deliveries": ("Checked by `webhooks/settling.py` and `webhooks/endpoints.py`.", ALLOWED),  # type: ignore[dict-item]
}


def drawn() -> str:
    """Return the page: a diagram for each table that has a state."""
    parts = [
        "# States",
        "Drawn by `python -m tests.states_page` from the moves in `rules/statuses.py`; a test holds this page to them.",
        "Every statement that changes a state names the states it may leave.",
    ]
    for title, (owner, moves) in _DRAWN.items():
        first = next(iter(moves))
        states = list(type(first))
        arrows = [f"    {from_} --> {to}" for from_ in states for to in states if to in moves[from_]]
        parts.append(f"## {title}\n\n{owner}")
        parts.append("\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {states[0]}", *arrows, "```"]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(drawn())

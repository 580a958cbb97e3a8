"""The table of events in the documentation says what the code does."""

import re
from pathlib import Path

import pytest

from dialer.rules.status_callbacks import HEARS
from tests.contracts.schemas import schema
from tests.contracts.story import tell_everything
from tests.world import World, world
from webhooks.models import BatchItem, Delivery, Event
from webhooks.rules.statuses import EVENT_TYPES

__all__ = ["world"]

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "events.md"
_ROW = re.compile(r"^\| `([a-z.]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


@pytest.mark.django_db(transaction=True)
def test_the_table_says_of_every_event_what_it_is_in_each_profile_and_whether_it_comes_once(world: World) -> None:
    tell_everything(world)

    told = {type_: _told(type_) for type_ in EVENT_TYPES}

    documented = {
        type_: (title, batch, status, once) for type_, title, batch, status, once in _ROW.findall(DOCUMENT.read_text())
    }
    assert list(documented.items()) == list(told.items()), "\n".join(
        f"| `{type_}` | {' | '.join(cells)} |" for type_, cells in told.items()
    )


def _told(type_: str) -> tuple[str, str, str, str]:
    """Say what the story showed of an event, as the table's cells."""
    items = BatchItem.objects.filter(event__type=type_).order_by("type").values_list("type", flat=True).distinct()
    urls = sorted(url.value for url, heard in HEARS.items() if heard == type_)
    is_told = Delivery.objects.filter(endpoint__profile="status", event__type=type_).exists()
    assert is_told is bool(urls), type_
    keys = set(Event.objects.filter(type=type_).values_list("unique_key", flat=True))
    return (
        schema(f"envelope/{type_}")["title"],
        ", ".join(f"`{item}`" for item in items) or "—",
        ", ".join(f"`{url}`" for url in urls) or "—",
        "—" if None in keys else "yes",
    )

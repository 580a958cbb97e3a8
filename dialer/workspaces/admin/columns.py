"""Columns and read-only fields: two lines, badges, coloured words."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from unfold.decorators import display
from unfold.utils import display_for_label

_Shows = TypeVar("_Shows", bound=Callable[..., Any])


class _Lines(list[str]):
    """Two lines: a list for unfold's columns, and HTML for its read-only fields, which know no headers."""

    def __html__(self) -> str:
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in self if line))


class _Badge(tuple[str, str]):  # noqa: SLOT001 — a tuple has no room for slots
    """A kind and a text: a tuple for unfold's columns, and HTML for its read-only fields, which know no labels."""

    colours: Mapping[str, str]

    def __html__(self) -> str:
        return str(display_for_label(tuple(self), "-", self.colours)) if self[1] else ""


def column(
    title: str, *, label: dict[str, str] | None = None, ordering: str | None = None, header: bool = False
) -> Callable[[_Shows], _Shows]:
    """Turn a method into a column or read-only field.

    ``label`` maps its value (or the first of a pair, of which the second is shown) to the colour of a badge; ``header``
    shows a list as two lines.
    """

    def decorate(method: _Shows) -> _Shows:
        @wraps(method)
        def shown(self: object, row: object) -> object:
            value = method(self, row)
            if header:
                return _Lines(value)
            if label is not None:
                badge = _Badge(value if isinstance(value, tuple) else (value, value))
                badge.colours = label
                return badge
            return value

        kind = display(description=title, label=label, ordering=ordering, header=header or None)
        decorated: _Shows = kind(shown)
        return decorated

    return decorate

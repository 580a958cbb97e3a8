"""Safe cells for CSV files that people open in spreadsheets, which may run a text as a formula."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

_BEGINS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER_TO_CALL: Final = re.compile(r"\+[0-9]{7,15}")


def cell(value: object) -> object:
    """Return a text that no spreadsheet runs: puts an apostrophe in front of a possible formula.

    A number in E.164 stays unchanged: a plus and digits are harmless, and programs read them back.
    """
    if not isinstance(value, str) or not value.lstrip(" \u00a0").startswith(_BEGINS_A_FORMULA):
        return value
    return value if _NUMBER_TO_CALL.fullmatch(value) else f"'{value}"


def text_of(safe: str) -> str:
    """Return the text of a cell that :func:`cell` made; one that had an apostrophe before its formula loses it."""
    text = safe.removeprefix("'")
    return text if cell(text) == safe else safe


def line(cells: Iterable[object]) -> str:
    """Return one CSV line with safe cells; ``None`` is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([cell(value) for value in cells])
    return text.getvalue()

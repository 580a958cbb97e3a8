"""Cells of a CSV that people open in spreadsheets, where a text may turn out to be a formula."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

_BEGINS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER_TO_CALL: Final = re.compile(r"\+[0-9]{7,15}")


def cell(value: object) -> object:
    """Return a text that no spreadsheet computes: what could begin a formula stands behind an apostrophe.

    A number in E.164 stays as it is: a plus and digits compute nothing, and programs read them back.
    """
    if not isinstance(value, str) or not value.lstrip(" \u00a0").startswith(_BEGINS_A_FORMULA):
        return value
    return value if _NUMBER_TO_CALL.fullmatch(value) else f"'{value}"


def line(cells: Iterable[object]) -> str:
    """Write one line with safe cells; ``None`` is an empty one."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([cell(value) for value in cells])
    return text.getvalue()

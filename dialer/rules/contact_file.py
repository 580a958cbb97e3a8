"""Reads CSV files of contacts, one stretch of bytes at a time: rows, their ends, and the meaning of columns.

A bad row does not spoil its neighbours: a row that is not CSV is named by its line, and reading continues with the
next line, even after an unclosed quote. A stretch may end anywhere; an incomplete row at its end is
left for the next stretch.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.rules import spreadsheet

LONGEST_ROW = 262_144
"""In bytes; a longer row is a fault."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"
_ALIASES = {
    "phone": (
        "phone phone_number phonenumber number mobile mobile_number mobile_phone mobil mobilnummer cell cell_phone"
        " cellphone telephone telephone_number tel telefon telefonnummer rufnummer handy handynummer msisdn e164"
        " contact_number"
    ),
    "name": "name full_name fullname contact_name contact customer customer_name",
    "first_name": "first_name firstname given_name forename vorname",
    "last_name": "last_name lastname family_name surname nachname",
    "external_id": "external_id externalid id customer_id crm_id reference ref correlation_id correlationid",
    "time_zone": "time_zone timezone tz zone iana_zone zeitzone",
}
_MEANING = {alias: field for field, aliases in _ALIASES.items() for alias in aliases.split()}
PROBLEM_COLUMNS = ("line", "column", "reason")
"""The extra columns at the front of the file of bad rows; that file can be corrected and imported as it is."""


class NotReadable(ValueError):
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row with its first line, counted from 0 in the stretch; ``fault`` says why it is not CSV."""

    line: int
    cells: Sequence[str]
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Rows read, and the bytes and lines that they took; both are 0 if a longer stretch is needed."""

    rows: list[Row]
    size: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The layout of a file: the delimiter, the meaning of its columns, and where the rows begin."""

    delimiter: str
    header: Sequence[str]
    meanings: Sequence[str]
    """The field of each column; empty for a column that is kept as metadata."""
    size: int
    lines: int

    def column_of(self, field: str) -> str:
        """Return the header's name for the column of a field."""
        wanted = ("name", "first_name", "last_name") if field == "name" else (field,)
        return next((self.header[i] for i, meaning in enumerate(self.meanings) if meaning in wanted), "")

    def fields_of(self, cells: Sequence[str]) -> dict[str, Any]:
        """Return the contact's fields in a row, without empty cells."""
        told = len(PROBLEM_COLUMNS) if _tells_problems(self.header) else 0
        texts = [(spreadsheet.text_of(cell) if told else cell).strip() for cell in cells]
        said = {meaning: text for meaning, text in zip(self.meanings, texts, strict=False) if meaning and text}
        names = [said.pop(part) for part in ("first_name", "last_name") if part in said]
        fields: dict[str, Any] = {"phone": "", **said}
        if names:
            fields.setdefault("name", " ".join(names))
        metadata = {
            self.header[i]: text
            for i, text in enumerate(texts[: len(self.header)])
            if text and not self.meanings[i] and i >= told
        }
        if metadata:
            fields["metadata"] = metadata
        return fields

    def is_too_long(self, cells: Sequence[str]) -> bool:
        return any(cell.strip() for cell in cells[len(self.header) :])


def layout_of(head: bytes, *, at_end: bool) -> Layout:
    """Read the header from the start of a file; raises :class:`NotReadable`.

    Chooses the delimiter that gives the most known columns.
    """
    first_line = head.strip(_BYTE_ORDER_MARK + b" \t\r\n").partition(b"\n")[0]
    if head.startswith(_OTHER_ENCODINGS) or b"\x00" in first_line:  # further down, NUL spoils only its row
        message = "the file is not a text in UTF-8; save it as “CSV UTF-8”"
        raise NotReadable(message)
    if not first_line:
        message = "the file is empty"
        raise NotReadable(message)
    mark = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    found = [_header(head[mark:], delimiter, mark=mark, at_end=at_end) for delimiter in _DELIMITERS]
    best = max(found, key=lambda layout: (sum(map(bool, layout.meanings)), len(layout.header)))
    if "phone" not in best.meanings:
        shown = ", ".join(cell.strip()[:40] for cell in best.header[:10])
        message = f"no column for the phone number: the first line must be a header such as name,phone; it is: {shown}"
        if any(re.fullmatch(r"\+?[0-9 ()./-]{7,}", cell.strip()) for cell in best.header):
            message = (
                f"the file has no header: the first line must name the columns, such as name,phone; it is: {shown}"
            )
        raise NotReadable(message)
    return best


def _header(head: bytes, delimiter: str, *, mark: int, at_end: bool) -> Layout:
    """Read the first non-empty row as the header."""
    size, lines = mark, 0
    while size - mark < len(head):
        stretch = read_rows(head[size - mark :], delimiter=delimiter, at_end=at_end, limit=1)
        if not stretch.size:
            break
        size, lines = size + stretch.size, lines + stretch.lines
        if any(cell.strip() for row in stretch.rows for cell in row.cells):
            header = [cell.strip() for cell in stretch.rows[0].cells]
            if _tells_problems(header):
                header = [spreadsheet.text_of(cell) for cell in header]
            return Layout(delimiter=delimiter, header=header, meanings=_meanings(header), size=size, lines=lines)
    return Layout(delimiter=delimiter, header=[], meanings=[], size=size, lines=lines)


def _tells_problems(header: Sequence[str]) -> bool:
    """Tell whether the file is one of bad rows, whose cells are safe for spreadsheets."""
    return tuple(header[: len(PROBLEM_COLUMNS)]) == PROBLEM_COLUMNS


def _meanings(header: Sequence[str]) -> list[str]:
    """Return the field of each column; if two columns mean the same field, the second is metadata."""
    meanings: list[str] = []
    for cell in header:
        meaning = _MEANING.get(re.sub(r"[\s_./-]+", "_", cell.strip().lower()).strip("_"), "")
        meanings.append("" if meaning in meanings else meaning)
    return meanings


def read_rows(data: bytes, *, delimiter: str, at_end: bool, limit: int) -> Stretch:
    """Read up to ``limit`` rows; with ``at_end``, the last row ends with the data, even without a line break.

    Skips empty rows. A row of more than ``LONGEST_ROW`` bytes is a fault; the caller handles a line of that length.
    """
    lines = data.splitlines(keepends=True)
    if not at_end and lines and not lines[-1].endswith(b"\n"):
        # Before the end of the file, a last line or a last \r may be incomplete.
        lines.pop()
    rows: list[Row] = []
    start = 0
    while start < len(lines) and len(rows) < limit:
        source = _Lines(lines, start)
        reader = csv.reader(source, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    rows.append(_row(start, cells))
                start = source.following
                if len(rows) == limit:
                    break
        except csv.Error as error:
            if source.is_exhausted and not at_end and (start or len(data) < LONGEST_ROW):
                break
            fault = f"a quote is opened and not closed, or the row has more than {LONGEST_ROW:,} bytes"
            rows.append(
                Row(line=start, cells=[_shown(lines[start])], fault=fault if source.is_exhausted else _why(error))
            )
            start += 1
    return Stretch(rows=rows, size=sum(map(len, lines[:start])), lines=start)


class _Lines:
    """Feeds lines to a CSV reader and tracks its position, which the reader itself does not tell."""

    def __init__(self, lines: Sequence[bytes], start: int) -> None:
        self._lines = lines
        self.following = start
        self.is_exhausted = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.following == len(self._lines):
            self.is_exhausted = True
            raise StopIteration
        self.following += 1
        return self._lines[self.following - 1].decode(errors="surrogateescape")


def _row(line: int, cells: list[str]) -> Row:
    text = "".join(cells)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            cells = [cell.encode(errors="surrogateescape").decode(errors="replace") for cell in cells]
            return Row(line=line, cells=cells, fault="is not UTF-8; save the file as “CSV UTF-8”")
    if "\x00" in text:
        return Row(line=line, cells=[cell.replace("\x00", "") for cell in cells], fault="contains NUL bytes")
    return Row(line=line, cells=cells)


def _shown(line: bytes) -> str:
    return line[:1_000].decode(errors="replace").replace("\x00", "").rstrip("\r\n")


def _why(error: csv.Error) -> str:
    return f"is not CSV: {error}"

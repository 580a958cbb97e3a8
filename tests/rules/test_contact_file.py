"""Files of contacts as people have them."""

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rules.contact_file import LONGEST_ROW, NotReadable, Row, layout_of, read_rows

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12) | st.sampled_from(
    ['"', "a\nb", "c\r\nd", "é;,\t", "\ufeff"]
)
ROWS = st.lists(
    st.lists(CELL, min_size=2, max_size=3).filter(lambda row: any(cell.strip() for cell in row)), max_size=8
)


def written(rows: Sequence[Sequence[str]], delimiter: str = ",", ending: str = "\n") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
    return out.getvalue().encode()


def read_in_stretches(data: bytes, size: int, *, delimiter: str = ",", limit: int = 3) -> list[Row]:
    rows: list[Row] = []
    at = line = 0
    wanted = size
    while at < len(data):
        stretch = read_rows(data[at : at + wanted], delimiter=delimiter, at_end=at + wanted >= len(data), limit=limit)
        rows += [Row(line=line + row.line, cells=row.cells, fault=row.fault) for row in stretch.rows]
        wanted = size if stretch.size else wanted + size
        at, line = at + stretch.size, line + stretch.lines
    return rows


@given(ROWS, st.integers(1, 50), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]))
def test_rows_are_read_whole_wherever_the_file_is_cut(
    rows: list[list[str]], size: int, delimiter: str, ending: str
) -> None:
    data = written(rows, delimiter, ending)

    read = read_in_stretches(data, size, delimiter=delimiter)

    assert [row.cells for row in read] == rows
    assert not any(row.fault for row in read)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_read_to_their_end(data: bytes, size: int) -> None:
    lines = data.splitlines()

    read = read_in_stretches(data, size)

    assert all(0 <= row.line < len(lines) for row in read)
    assert [row.line for row in read] == sorted({row.line for row in read})


def test_a_quote_that_is_never_closed_costs_its_own_row_only() -> None:
    data = b'+491,Ann\n+492,"Bob\n+493,Cid\n+494,Dan\n'

    read = read_rows(data, delimiter=",", at_end=True, limit=10).rows

    assert [(row.line, row.cells[0], bool(row.fault)) for row in read] == [
        (0, "+491", False),
        (1, '+492,"Bob', True),
        (2, "+493", False),
        (3, "+494", False),
    ]


def test_a_row_without_end_costs_its_own_line_only() -> None:
    data = b'+491,"' + b"x\n" * LONGEST_ROW + b"+492,Bob\n"

    read = read_rows(data[:LONGEST_ROW], delimiter=",", at_end=False, limit=2).rows

    assert [(row.line, bool(row.fault)) for row in read] == [(0, True), (1, False)]


def test_rows_that_are_not_utf8_are_named_and_the_others_read() -> None:
    read = read_rows("+491,Jürgen\n".encode("latin-1") + b"+492,Bob\n", delimiter=",", at_end=True, limit=10).rows

    assert ["UTF-8" in row.fault for row in read] == [True, False]
    assert read[0].cells == ["+491", "J\ufffdrgen"]


def test_empty_rows_are_passed_over_and_still_counted_as_lines() -> None:
    read = read_rows(b"\n,,\r\n+491,Ann\n\n+492,Bob", delimiter=",", at_end=True, limit=10).rows

    assert [(row.line, row.cells[0]) for row in read] == [(2, "+491"), (4, "+492")]


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        (b"name,phone\n", ","),
        (b"name;phone\n", ";"),
        (b"name\tphone\n", "\t"),
        (b"\xef\xbb\xbfname;phone\r\n", ";"),
        (b'\n\n"name";"phone"\n', ";"),
        (b"phone\n", ","),
        (b'"Name, as written";Phone;City\n', ";"),
    ],
)
def test_the_delimiter_is_found_behind_a_byte_order_mark_and_empty_lines_too(head: bytes, delimiter: str) -> None:
    layout = layout_of(head, at_end=True)

    assert layout.delimiter == delimiter
    assert "phone" in layout.meanings
    assert layout.size == len(head)


def test_columns_are_known_under_the_names_people_give_them() -> None:
    layout = layout_of(b"Vorname,Nachname,Mobile Number,TZ,Customer-ID,Stadt\n", at_end=True)

    assert layout.fields_of(["Eva", "Meier", "+491701234567", "Europe/Berlin", "17", "Köln"]) == {
        "name": "Eva Meier",
        "phone": "+491701234567",
        "time_zone": "Europe/Berlin",
        "external_id": "17",
        "metadata": {"Stadt": "Köln"},
    }
    assert layout.column_of("phone") == "Mobile Number"
    assert layout.column_of("name") == "Vorname"


def test_of_two_columns_for_one_field_the_first_is_taken_and_the_other_kept_as_metadata() -> None:
    layout = layout_of(b"phone,mobile\n", at_end=True)

    assert layout.fields_of(["+491", "+492"]) == {"phone": "+491", "metadata": {"mobile": "+492"}}


def test_short_rows_say_nothing_of_what_they_lack_and_long_ones_are_told_apart() -> None:
    layout = layout_of(b"phone,name,city\n", at_end=True)

    assert layout.fields_of(["+491"]) == {"phone": "+491"}
    assert layout.is_too_long(["+491", "", "", "x"])
    assert not layout.is_too_long(["+491", "", "", " "])


def test_the_columns_that_name_a_problem_are_not_taken_for_metadata_when_the_file_comes_back() -> None:
    layout = layout_of(b"line,column,reason,phone,name\n", at_end=True)

    assert layout.fields_of(["7", "phone", "is empty", "+491", "Ann"]) == {"phone": "+491", "name": "Ann"}


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n \n", "empty"),
        (b"name,city\nAnn,Rome\n", "no column for the phone number"),
        (b"Ann,+491701234567\n", "has no header"),
        ("name,phone\n".encode("utf-16"), "UTF-8"),
        (b"PK\x03\x04\x00\x00", "UTF-8"),
        ("name,phone\nAnn,+491701234567\n".encode("utf-16-le"), "UTF-8"),
        (b'"phone\n+491', "no column for the phone number"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(head: bytes, reason: str) -> None:
    with pytest.raises(NotReadable, match=reason):
        layout_of(head, at_end=True)

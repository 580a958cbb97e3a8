"""Named statements send lists as arrays; PostgreSQL must read what was meant."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rules.statuses import CallStatus, Rank
from dialer.workspaces.statements import fetch

pytestmark = pytest.mark.django_db


class _Read(NamedTuple):
    value: Any


def _read_back(values: Sequence[Any], type_: str) -> list[Any]:
    rows = fetch(_Read, "read_back", f"SELECT unnest(%(values)s::{type_}[]) AS value", {"values": list(values)})
    return [row.value for row in rows]


_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("type_", "elements"),
    [
        ("text", _TEXTS),
        ("uuid", st.uuids()),
        ("int", st.integers(-(2**31), 2**31 - 1)),
        ("boolean", st.booleans()),
        ("float8", st.floats(allow_nan=False)),
        ("bytea", st.binary()),
        ("timestamptz", st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001
    ],
)
@given(data=st.data())
def test_an_array_arrives_as_it_was_given(type_: str, elements: st.SearchStrategy[Any], data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | elements))
    assert _read_back(values, type_) == values


@pytest.mark.parametrize(
    "text", ["a\nb", "\\n", "\\\n", '"', '\\"', "\x1f", "NULL", "{a,b}", "", " ", "ü\u2028", "\\\\n\\"]
)
def test_texts_that_json_and_arrays_write_differently_arrive_as_they_were_given(text: str) -> None:
    assert _read_back([text, None, text], "text") == [text, None, text]


def test_members_of_an_enumeration_arrive_as_their_values() -> None:
    assert _read_back([CallStatus.QUEUED, CallStatus.ENDED], "text") == ["queued", "ended"]
    assert _read_back([Rank.NEW, Rank.RETRY], "int") == [Rank.NEW.value, Rank.RETRY.value]


def test_a_list_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="no array of dict"):
        _read_back([{"a": 1}], "jsonb")

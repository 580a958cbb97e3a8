"""What a stranger may send and the database can keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.workspaces.storable import object_error, text_error


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1, "must be a text"),
        ("ab\x00", "must not contain NUL"),
        ("\ud800", "must not contain"),
        ("abcdef", "at most 5"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused_with_the_reason(value: object, reason: str) -> None:
    assert reason in str(text_error(value, longest=5))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "must be an object"),
        ({"a": [{"b": "\x00"}]}, "NUL"),
        ({"\ud800": 1}, "surrogate"),
        ({"a": float("nan")}, "NaN"),
        ({"a": "x" * 20_000}, "at most about"),
        ({"a": list(range(10_000))}, "at most about"),
    ],
)
def test_an_object_that_cannot_be_kept_is_refused_with_the_reason(value: object, reason: str) -> None:
    assert reason in str(object_error(value))


def test_an_object_nested_without_end_is_refused() -> None:
    value: dict[str, object] = {}
    for _ in range(500):
        value = {"a": value}

    assert "deep" in str(object_error(value))


CLEAN = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=10)


@given(st.dictionaries(CLEAN, st.none() | st.booleans() | st.integers() | CLEAN | st.lists(CLEAN), max_size=5))
def test_small_objects_of_clean_texts_are_kept(value: dict[str, object]) -> None:
    assert object_error(value) is None

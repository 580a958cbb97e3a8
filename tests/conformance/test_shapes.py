"""The comparison itself sees what is different."""

import pytest

from tests.conformance.shapes import Rules, differences, form

RULES = Rules(spelled=frozenset({"c[].word"}))
EXAMPLE = {"a": "ct_789", "b": {"at": "2025-01-15T10:30:00Z", "n": 1}, "c": [{"word": "busy"}], "d": None}


def test_an_equal_payload_has_no_differences() -> None:
    payload = {
        "a": "ct_01jm",
        "b": {"at": "2026-11-21T00:00:00Z", "n": 7},
        "c": [{"word": "busy"}],
        "d": None,
    }

    assert differences(EXAMPLE, payload, RULES) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"a": "call_01jm"}, "a: call_ id 'call_01jm' in place of ct_ id 'ct_789'"),
        ({"b": {"at": "2026-11-21T00:00:00.000Z", "n": 1}}, "b.at: instant with milliseconds"),
        ({"b": {"at": "2026-11-21T00:00:00Z", "n": 1.0}}, "b.n: float in place of int"),
        ({"b": {"at": "2026-11-21T00:00:00Z"}}, "b.n: missing"),
        ({"c": [{"word": "Busy"}]}, "c[].word: 'Busy' in place of 'busy'"),
        ({"c": []}, "c: 0 items in place of 1"),
        ({"d": "x"}, "d: str in place of NoneType"),
        ({"e": 1}, "e: too much"),
    ],
)
def test_every_kind_of_difference_is_found(change: dict[str, object], found: str) -> None:
    (difference,) = differences(EXAMPLE, EXAMPLE | change, RULES)

    assert difference.startswith(found)


def test_texts_are_known_by_their_look() -> None:
    assert form("2025-09-12T07:00:00+00:00") == "instant with offset"
    assert form("job_123") == form("call_01jm") == "call_ id"
    assert form("61491573087") == "digits"
    assert form("https://s3.example.com/a.csv") == "address"
    assert form("Jane Doe") == "text"

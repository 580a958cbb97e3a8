"""Texts name a person by number, in any spelling, or by full name."""

import pytest

from dialer.rules.mentions import Person

JANE = Person(numbers=("+493012345678",), names=("Jane Roe",), external_ids=("crm-4711",))


@pytest.mark.parametrize(
    "text",
    [
        "call +493012345678",
        "call %2B493012345678.",
        "493012345678",
        "0049 30 1234-5678",
        "+49 (0)30 / 12345678",
        "030 12345678 rang",
        "Jane Roe",
        "jane  ROE's dog",
        "roe, not; but Jane-Roe",
        "order crm-4711",
    ],
)
def test_a_mention_is_found_and_erased(text: str) -> None:
    assert JANE.erased_from(text) != text
    erased = JANE.erased_from(text)
    assert "[erased]" in erased
    assert JANE.erased_from(erased) == erased


@pytest.mark.parametrize(
    "text", ["", "Jane", "Roe", "Mary Jane Roebuck", "+4930123456789", "1493012345678", "4711", "crm 47 11"]
)
def test_what_only_resembles_it_stays(text: str) -> None:
    assert JANE.erased_from(text) == text
    assert JANE.erased_from(text) == text


def test_mentions_are_erased_from_all_texts_of_a_json_value() -> None:
    value = {"notes": ["Jane Roe called", 5, None], "to": {"phone": "+493012345678"}}

    assert JANE.erased_from(value) == {"notes": ["[erased] called", 5, None], "to": {"phone": "[erased]"}}


@pytest.mark.parametrize("person", [Person(), Person(names=("Jane", "", "  ")), Person(external_ids=("4711",))])
def test_one_word_tells_nobody_apart(person: Person) -> None:
    assert person.erased_from("Jane 4711") == "Jane 4711"
    assert person.erased_from("Jane 4711") == "Jane 4711"


def test_a_number_of_a_country_that_nobody_knows_is_found_whole() -> None:
    unknown = Person(numbers=("+9991234567",))

    assert unknown.erased_from("+999 123 4567") != "+999 123 4567"
    assert unknown.erased_from("1234567") == "1234567"

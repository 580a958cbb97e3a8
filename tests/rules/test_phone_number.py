"""Which numbers are taken, doubted and shown."""

import re

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import timezone as number_zones

from dialer.rules.phone_number import FORM, NumberNotDialable, country_of, doubts, parse
from dialer.rules.time_zones import zones_for


@pytest.mark.parametrize(
    "text",
    ["+493012345678", "+49 30 12345678", "+49 (30) 1234-5678", " +49.30.12345678 ", "+49\u00a030\u20111234\u20135678"],
)
def test_punctuation_that_people_write_is_taken_away(text: str) -> None:
    assert parse(text) == "+493012345678"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" - ", "is empty"),
        ("00493012345678", "starts with 00"),
        ("03012345678", "must start with +"),
        ("4930123456", "must start with +"),
        ("+49301234567x", "nothing but digits"),
        ("+49+3012345678", "nothing but digits"),
        ("+٤٩٣٠١٢٣٤٥٦٧٨", "nothing but digits"),
        ("+493012", "not 6"),
        ("+4930123456789012", "not 16"),
    ],
)
def test_what_is_not_e164_by_shape_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NumberNotDialable, match=reason.replace("+", r"\+")):
        parse(text)


@given(st.from_regex(r"\+[0-9]{7,15}", fullmatch=True))
def test_every_number_of_the_right_shape_is_taken_as_it_is_whatever_a_library_thinks(phone: str) -> None:
    assert parse(phone) == phone
    assert isinstance(doubts(phone), tuple)


def test_a_library_doubts_but_does_not_refuse() -> None:
    assert doubts("+4930901820") == ()
    assert doubts("+999123456789") == ("unknown country code",)
    assert doubts("+1415555") == ("unusual length for its country",)
    assert doubts("+11111111111") == ("not in its country's numbering plan",)


def test_the_country_comes_from_the_number_where_it_has_one() -> None:
    assert country_of("+4930901820") == "DE"
    assert country_of("+971501234567") == "AE"
    assert country_of("+999123456789") is None


@given(st.text(alphabet="+0123456789 -().\u2011\u00a0a٣", max_size=24))
@example("+49 (30) 1234-567")
@example("++493012345")
def test_the_published_form_is_what_is_taken(text: str) -> None:
    try:
        parse(text)
    except NumberNotDialable:
        assert not re.search(FORM, text)
    else:
        assert re.search(FORM, text)


def test_doubts_and_zones_are_those_of_the_library_for_numbers_of_every_country_and_kind() -> None:
    examples = [
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in phonenumbers.PhoneNumberType.values()
    ]
    phones = {phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) for number in examples if number}
    assert len(phones) > 900

    for phone in phones | {f"{phone[:-3]}000" for phone in phones}:
        number = phonenumbers.parse(phone, None)
        assert zones_for(time_zone="", phone=phone).zones == tuple(
            sorted(set(number_zones.time_zones_for_number(number)) - {"Etc/Unknown"})
        )
        assert ("not in its country's numbering plan" in doubts(phone)) == (
            phonenumbers.is_possible_number(number) and not phonenumbers.is_valid_number(number)
        )

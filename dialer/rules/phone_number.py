"""Phone numbers: the shape decides whether a number can be dialled; a library only adds warnings.

Numbering plans change faster than libraries, and a number that a library does not know may well ring. So a number is
accepted if it has the shape of E.164, and the library's doubts are stored as warnings for people.
"""

import re
from functools import lru_cache

import phonenumbers

_E164 = re.compile(r"\+[0-9]{7,15}", re.ASCII)
_MARK = r"[\s().\u002d\u00ad\u2010-\u2015\u2212\u200e\u200f\u202a-\u202c\ufeff]"
"""What people write between digits: spaces, brackets, dots, all kinds of dashes, and invisible marks from copying."""
_PUNCTUATION = re.compile(f"{_MARK}+")
FORM = rf"^{_MARK}*\+{_MARK}*([0-9]{_MARK}*){{7,15}}$"
"""What :func:`parse` accepts, as a pattern for other programs."""


class NumberNotDialable(ValueError):
    """The text does not have the shape of E.164; the message says what is wrong, without the number."""


def parse(text: str) -> str:
    """Return ``+`` and 7 to 15 digits, without punctuation; raises :class:`NumberNotDialable`."""
    number = _PUNCTUATION.sub("", text)
    if _E164.fullmatch(number):
        return number
    if not number:
        message = "is empty"
    elif number.startswith("00"):
        message = "starts with 00; write + and the country code"
    elif not number.startswith("+"):
        message = "must start with + and the country code"
    elif not re.fullmatch(r"\+[0-9]*", number, re.ASCII):
        message = "must have nothing but digits after the +"
    else:
        message = f"must have 7 to 15 digits after the +, not {len(number) - 1:,}"
    raise NumberNotDialable(message)


def is_dialable(text: str) -> bool:
    """Tell whether the text is a number as :func:`parse` returns it."""
    return _E164.fullmatch(text) is not None


def digits_of(text: str) -> str:
    """Return only the digits of a number, to compare numbers in different spellings."""
    return re.sub(r"[^0-9]", "", text)


def digits_to_own(text: str) -> str:
    """Return the digits of a number that somebody can own; empty for a sender's name, such as ``Kiosk24``."""
    return "" if any(character.isalpha() for character in text) else digits_of(text)


@lru_cache(maxsize=1_024)
def read_by_library(phone: str) -> phonenumbers.PhoneNumber | None:
    """Return the number as the library reads it, not to be changed; ``None`` if it does not know its country code.

    Who asks one question about a number asks the others soon, and reading takes as long as most answers.
    """
    try:
        return phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=1_024)
def type_of(phone: str) -> int:
    """Return the ``phonenumbers.PhoneNumberType`` of a number; ``UNKNOWN`` if its country's plan has no such number.

    The library tries a dozen patterns for it, so its doubts and its zones share the answer.
    """
    number = read_by_library(phone)
    return phonenumbers.PhoneNumberType.UNKNOWN if number is None else phonenumbers.number_type(number)


@lru_cache(maxsize=65_536)
def doubts(phone: str) -> tuple[str, ...]:
    """Return the phone-number library's doubts about a number of the right shape; usually none."""
    number = read_by_library(phone)
    if number is None:
        return ("unknown country code",)
    if not phonenumbers.is_possible_number(number):
        return ("unusual length for its country",)
    if type_of(phone) == phonenumbers.PhoneNumberType.UNKNOWN:
        return ("not in its country's numbering plan",)
    return ()


@lru_cache(maxsize=65_536)
def country_of(phone: str) -> str | None:
    """Return the country of a number as ISO 3166 letters; ``None`` if it has none or the library does not know it."""
    number = read_by_library(phone)
    return None if number is None else phonenumbers.region_code_for_number(number)

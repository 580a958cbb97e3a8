"""Finds a person in texts that people wrote: by number, in any usual spelling, and by full name."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from dialer.rules import phone_number

ERASED: Final = "[erased]"
_BETWEEN: Final = r"[\s()./\u002d\u2010-\u2015]*"
"""What people write between the digits of a number."""
_LEAST_DIGITS: Final = 6
"""Shorter national numbers are not looked for without their country code: they would be found in dates and amounts."""


@dataclass(frozen=True)
class Person:
    """How texts may name a person."""

    numbers: tuple[str, ...] = ()
    """In E.164."""
    names: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        sought = [*map(_number, self.numbers), *_whole(self.names), *_whole(self.external_ids)]
        return re.compile("|".join(sought), re.IGNORECASE) if sought else None

    @property
    def whole(self) -> tuple[str, ...]:
        """What tells the person apart: numbers, and texts of two words or more."""
        return (*self.numbers, *(text for text in (*self.names, *self.external_ids) if len(_words(text)) > 1))

    def erased_from(self, value: Any) -> Any:  # noqa: ANN401 — JSON in, JSON of the same shape out
        """Return a text, or JSON with texts in it, with every mention replaced; keys of objects stay."""
        if self._pattern is None:
            return value
        match value:
            case str():
                return self._pattern.sub(ERASED, value)
            case list():
                return [self.erased_from(each) for each in value]
            case dict():
                return {name: self.erased_from(each) for name, each in value.items()}
        return value


def _number(number: str) -> str:
    digits = number.removeprefix("+")
    known = phone_number.read_by_library(number)
    national = str(known.national_number) if known is not None else ""
    spelled = rf"(?:(?:\+|%2B|00){_BETWEEN})?{_spaced(digits)}"
    if len(national) >= _LEAST_DIGITS and digits.endswith(national):
        country = _spaced(digits.removesuffix(national))
        spelled = rf"(?:(?:(?:\+|%2B|00){_BETWEEN})?{country}{_BETWEEN})?0?{_BETWEEN}{_spaced(national)}"
    return rf"(?<![0-9]){spelled}(?![0-9])"


def _spaced(digits: str) -> str:
    return _BETWEEN.join(digits)


def _whole(texts: Iterable[str]) -> list[str]:
    """Return patterns for texts of two words or more: one word, such as a first name, tells nobody apart."""
    return [
        r"(?<!\w)" + r"[\W_]+".join(map(re.escape, words)) + r"(?!\w)"
        for text in texts
        if len(words := _words(text)) > 1
    ]


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", text) if word]

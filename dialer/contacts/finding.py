"""Finds contacts as people look for them: by their number in any spelling, by words of their name; all by index."""

import re

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import QuerySet

from dialer.models import Contact

MOST_FOUND = 1_000
"""So many contacts are found at once, to search for their rows."""
_NUMBER = re.compile(r"\+?[0-9][0-9 ()/.-]{4,}")


def matching(rows: QuerySet[Contact], wanted: str) -> QuerySet[Contact]:
    """Find contacts by their whole number, or by prefixes of the words in their name."""
    if _NUMBER.fullmatch(wanted):
        digits = re.sub(r"[^0-9]", "", wanted)
        return rows.filter(phone__in=[f"+{digits}", f"+{digits.removeprefix('00')}"])
    return by_name(rows, wanted)


def by_name(rows: QuerySet[Contact], wanted: str) -> QuerySet[Contact]:
    """Find contacts whose name has words with these beginnings, in any order; none if there is no word."""
    words = words_in(wanted)
    if not words:
        return rows.none()
    query = SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")
    return rows.annotate(words=SearchVector("name", config="simple")).filter(words=query)


def words_in(text: str) -> list[str]:
    """Return the words of a text that can be searched for."""
    return re.findall(r"\w+", text)

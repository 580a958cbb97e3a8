"""Parses JSON within bounds, and refuses what PostgreSQL cannot store: NUL, half a surrogate pair, infinity."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer

from dialer.workspaces.storable import is_clean

MAX_DEPTH = 32
MAX_VALUES = 250_000
"""Ten thousand contacts with their metadata; ten megabytes of ``[],`` would become 400 MB of lists."""
_TEXT = re.compile(rb'"(?:[^"\\]+|\\.?)*+"?', re.DOTALL)
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89abAB])")


class StrictJSONParser(BaseParser):
    """The only parser of most views, for ``application/json``."""

    media_type = "application/json"
    renderer_class = JSONRenderer

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 — JSON
        assert parser_context is not None
        # Not from the stream: only Django's own reading respects DATA_UPLOAD_MAX_MEMORY_SIZE.
        raw: bytes = parser_context["request"]._request.body  # noqa: SLF001 — DRF has no other way to it
        if not raw:  # chunked: DRF does not parse an empty body whose length is known
            return {}
        _check_size(raw)
        try:
            value = json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            message = f"The body is not JSON: {error}"
            raise ParseError(message) from error
        _check(value, MAX_DEPTH, look_at_texts=_SUSPICIOUS.search(raw) is not None or b"\x00" in raw)
        return value


def _check_size(raw: bytes) -> None:
    """Refuse a body of too many values before it is parsed: by then it has taken the memory."""
    if _most_values(raw) > MAX_VALUES and _most_values(_TEXT.sub(b"", raw)) > MAX_VALUES:
        message = f"The body has more than {MAX_VALUES:,} values."
        raise ParseError(message)


def _most_values(raw: bytes) -> int:
    """Return an upper bound of the number of values, since each follows a comma or an opening bracket."""
    return 1 + raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _refuse(word: str) -> float:
    message = f"{word} is not JSON"
    raise ValueError(message)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        message = f"{text} is too large"
        raise ValueError(message)
    return value


def _check(value: object, depth: int, *, look_at_texts: bool) -> None:
    if depth == 0:
        message = f"The body is nested more than {MAX_DEPTH} deep."
        raise ParseError(message)
    if isinstance(value, dict):
        for name, item in value.items():
            if look_at_texts:
                _check_text(name)
            _check(item, depth - 1, look_at_texts=look_at_texts)
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, int | float):
                _check(item, depth - 1, look_at_texts=look_at_texts)
    elif look_at_texts and isinstance(value, str):
        _check_text(value)


def _check_text(text: str) -> None:
    if not is_clean(text):
        message = "The body contains NUL or half a surrogate pair."
        raise ParseError(message)

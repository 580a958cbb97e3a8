"""File bodies: read once, as they arrive, and never held in memory as a whole."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.http.request import UnreadablePostError
from rest_framework.parsers import BaseParser

from dialer.workspaces.api.chunked import is_chunked

_CHUNK_BYTES = 65_536


class StreamedBody:
    """Streams the bytes of a body and computes their digest; without a ``length`` the stream itself knows its end."""

    def __init__(self, stream: IO[bytes], *, length: int | None) -> None:
        self._stream = stream
        self._has_length = length is not None
        self._left = sys.maxsize if length is None else length
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes not read yet; raises ``UnreadablePostError`` if the client breaks off."""
        while self._left:
            chunk = self._stream.read(min(_CHUNK_BYTES, self._left))
            if not chunk and not self._has_length:
                break
            if not chunk:
                message = "the body ended early"
                raise UnreadablePostError(message)
            self._left -= len(chunk)
            self._hash.update(chunk)
            yield chunk

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole body; reads the rest of it first."""
        for _ in self:
            pass
        return self._hash.digest()


class CsvParser(BaseParser):
    """``text/csv``, never in memory as a whole: ``request.data`` is a :class:`StreamedBody`."""

    media_type = "text/csv"

    def parse(  # type: ignore[override] # returns a stream, not a mapping
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> StreamedBody:
        assert parser_context is not None
        request = parser_context["request"]
        length = None if is_chunked(request) else int(request.META.get("CONTENT_LENGTH") or 0)
        return StreamedBody(stream, length=length)

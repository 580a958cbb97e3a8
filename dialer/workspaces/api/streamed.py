"""Bodies that are files: read once, as they arrive, and never as a whole."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.http.request import UnreadablePostError
from rest_framework.parsers import BaseParser

_CHUNK_BYTES = 65_536


class StreamedBody:
    """The bytes of a body in the order in which they come; remembers what they were by their digest."""

    def __init__(self, stream: IO[bytes], *, length: int) -> None:
        self._stream = stream
        self._left = length
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        """Give what has not been read yet; raises ``UnreadablePostError`` where the sender broke off."""
        while self._left:
            chunk = self._stream.read(min(_CHUNK_BYTES, self._left))
            if not chunk:
                message = "the body ended early"
                raise UnreadablePostError(message)
            self._left -= len(chunk)
            self._hash.update(chunk)
            yield chunk

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole body, reading what is left of it."""
        for _ in self:
            pass
        return self._hash.digest()


class CsvParser(BaseParser):
    """``text/csv`` of any size: ``request.data`` is a :class:`StreamedBody`."""

    media_type = "text/csv"

    def parse(  # type: ignore[override] # what a file is read as is no mapping
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> StreamedBody:
        assert parser_context is not None
        return StreamedBody(stream, length=int(parser_context["request"].META.get("CONTENT_LENGTH") or 0))

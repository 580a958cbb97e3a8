"""Bodies that are read as they arrive."""

import hashlib
import io

import pytest
from django.http.request import UnreadablePostError

from dialer.workspaces.api.streamed import StreamedBody


def test_a_body_is_given_in_pieces_and_remembered_by_its_digest() -> None:
    content = b"0123456789" * 20_000
    body = StreamedBody(io.BytesIO(content), length=len(content))

    pieces = list(body)

    assert len(pieces) > 1
    assert b"".join(pieces) == content
    assert body.digest() == hashlib.sha256(content).digest()


def test_the_digest_reads_what_nobody_has_read() -> None:
    assert StreamedBody(io.BytesIO(b"phone\n"), length=6).digest() == hashlib.sha256(b"phone\n").digest()


def test_a_body_whose_sender_broke_off_is_not_taken_for_whole() -> None:
    body = StreamedBody(io.BytesIO(b"phone\n"), length=7)

    with pytest.raises(UnreadablePostError):
        list(body)


def test_nothing_is_read_past_the_length() -> None:
    assert list(StreamedBody(io.BytesIO(b"phone\nnext request"), length=6)) == [b"phone\n"]

"""Imports of contacts: a CSV, kept in parts and read in batches by any worker.

A batch is one transaction: contacts, problems, counts and position change together, so that a killed worker loses one
batch of work and no row is read twice. The import's row is locked while a batch is read; the lease only tells the
sweep that a worker has it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from dialer.campaigns import membership
from dialer.contacts import contacts
from dialer.contacts.contacts import Bad, ContactFields, Effect, Taken
from dialer.models import Campaign, Import, ImportPart, ImportProblem
from dialer.rules import spreadsheet
from dialer.rules.contact_file import LONGEST_ROW, PROBLEM_COLUMNS, Layout, NotReadable, Row, layout_of, read_rows
from dialer.rules.statuses import CAMPAIGN_OVER, ImportStatus
from dialer.workspaces.audit import Actor, Change, record
from dialer.workspaces.ids import public_id
from dialer.workspaces.locks import lock_numbers
from dialer.workspaces.statements import fetch
from dialer.workspaces.transitions import TransitionConflict

PART_BYTES = 1_048_576
ROWS = 1_000
LEASE = timedelta(seconds=60)
"""A batch takes a second or two; after this time its worker counts as dead."""
UPLOAD_LASTS = timedelta(hours=6)
"""An upload that takes longer than this counts as broken off."""
_OPEN = (ImportStatus.WAITING, ImportStatus.RUNNING)
_LONGEST_SHOWN_CELL = 500
_MOST_SHOWN_CELLS = 100


class TooManyImports(Exception):
    """The workspace has as many imports under way as it may have."""


class FileTooLarge(Exception):
    """The file has more bytes or more lines than a file may have; the message says which."""


@dataclass(slots=True, kw_only=True)
class _Batch:
    """The result of one batch of rows."""

    good: int = 0
    duplicate: int = 0
    problems: list[ImportProblem] = field(default_factory=list)


def receive(
    workspace_id: UUID,
    chunks: Iterable[bytes],
    *,
    file_name: str = "",
    campaign_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Import:
    """Store an upload as it arrives, with at most one part in memory; a worker reads it later.

    Reading starts only after the audit entry exists.
    With ``campaign_id`` the contacts are added to the campaign too: raises ``Campaign.DoesNotExist``, and
    ``TransitionConflict`` if it has ended. Raises :class:`TooManyImports`, and :class:`FileTooLarge`; then, and if the
    sender breaks off, nothing is left of the upload. Publish ``dialer.import_contacts`` afterwards, or wait for the
    sweep.
    """
    if campaign_id is not None:
        campaign: Campaign = Campaign.objects.in_workspace(workspace_id).get(pk=campaign_id)
        if campaign.status in CAMPAIGN_OVER:
            raise TransitionConflict(what="the campaign", from_=campaign.status, to="one with more contacts")
    source = _begin(workspace_id, campaign_id, file_name=file_name, now=now)
    try:
        total = _store(source, chunks)
    except (FileTooLarge, OSError):
        source.delete()
        raise
    with transaction.atomic():
        source.status, source.bytes_total = ImportStatus.WAITING, total
        source.save(update_fields=["status", "bytes_total"])
        record(actor, [_uploaded(source)], now=now)
    return source


def _begin(workspace_id: UUID, campaign_id: UUID | None, *, file_name: str, now: datetime) -> Import:
    """Take one of the workspace's places; a lock makes the count exact."""
    with transaction.atomic():
        lock_numbers([(workspace_id, "imports")])
        under_way = Import.objects.in_workspace(workspace_id).filter(status__in=(ImportStatus.UPLOADING, *_OPEN))
        if under_way.count() >= settings.IMPORTS_AT_ONCE:
            raise TooManyImports
        source: Import = Import.objects.create(
            workspace_id=workspace_id, campaign_id=campaign_id, file_name=_shown(file_name)[:255], created_at=now
        )
    return source


def _store(source: Import, chunks: Iterable[bytes]) -> int:
    """Store the bytes, and return how many; raises :class:`FileTooLarge` as soon as there are too many."""
    size = lines = 0
    for number, content in enumerate(_parts(chunks)):
        size += len(content)
        lines += content.count(b"\n")
        if size > settings.IMPORT_LARGEST_FILE_MB * 1_000_000:
            message = f"the file has more than {settings.IMPORT_LARGEST_FILE_MB:,} MB"
            raise FileTooLarge(message)
        if lines > settings.IMPORT_MOST_LINES:
            message = f"the file has more than {settings.IMPORT_MOST_LINES:,} lines"
            raise FileTooLarge(message)
        ImportPart.objects.create(source=source, number=number, content=content)
    return size


def read_batch(import_id: UUID, *, now: datetime) -> bool:
    """Read the next rows of an import and commit; returns whether there are more.

    Safe to call at any time: it does nothing while another worker reads the same import.
    """
    with transaction.atomic():
        source = (
            Import.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .filter(pk=import_id, status__in=_OPEN)
            .first()
        )
        if source is None:
            return False
        try:
            layout = _layout(source)
            if not source.bytes_read:
                source.bytes_read, source.lines_read = layout.size, layout.lines
            with transaction.atomic():
                _read_rows(source, layout, now=now)
        except (NotReadable, TransitionConflict) as stopped:
            source.failure = str(stopped)[:500]
        _settle(source, now=now)
    return source.status == ImportStatus.RUNNING


def resume_open(*, now: datetime) -> list[UUID]:
    """Return the ids of imports whose worker died, and fail uploads that were broken off."""
    broken_off = Import.objects.filter(status=ImportStatus.UPLOADING, created_at__lte=now - UPLOAD_LASTS)
    with transaction.atomic():
        ids = list(broken_off.select_for_update(no_key=True, skip_locked=True).values_list("id", flat=True)[:100])
        ImportPart.objects.filter(source__in=ids).delete()
        broken_off.filter(pk__in=ids).update(
            status=ImportStatus.FAILED, failure="the upload was broken off", finished_at=now
        )
    idle = Import.objects.filter(Q(lease_until=None) | Q(lease_until__lte=now), status__in=_OPEN)
    return list(idle.order_by("id").values_list("id", flat=True)[:100])


def download_problems(source: Import, *, actor: Actor, now: datetime) -> Iterator[str]:
    """Return :func:`problems_csv` for somebody; leaves an audit entry."""
    record(actor, [Change.of(source, "import", "download_bad_rows")], now=now)
    return problems_csv(source)


def stop_open(workspace_id: UUID, *, now: datetime) -> None:
    """Fail the open imports of a workspace that is closed and delete their files, in the caller's transaction."""
    mine = Import.objects.in_workspace(workspace_id).filter(status__in=(ImportStatus.UPLOADING, *_OPEN))
    ids = list(mine.select_for_update(no_key=True).values_list("id", flat=True))
    ImportPart.objects.filter(source__in=ids).delete()
    mine.filter(pk__in=ids).update(
        status=ImportStatus.FAILED, failure="the workspace was closed", lease_until=None, finished_at=now
    )


def problems_csv(source: Import) -> Iterator[str]:
    """Yield a CSV of the bad rows: line, column and reason, then the columns of the file.

    The corrected file can be imported as it is: reading it takes the apostrophes away that ``spreadsheet`` puts in
    front of possible formulas.
    """
    try:
        header: Sequence[str] = _layout(source).header
    except NotReadable:
        header = ()
    yield spreadsheet.line([*PROBLEM_COLUMNS, *header])
    for problem in ImportProblem.objects.filter(source=source).order_by("line").iterator(chunk_size=2_000):
        yield spreadsheet.line([problem.line, problem.column, problem.reason, *problem.row])


def _read_rows(source: Import, layout: Layout, *, now: datetime) -> None:
    """Read one batch from the import's position and advance the position."""
    data = _bytes(source, at=source.bytes_read, size=LONGEST_ROW)
    at_end = source.bytes_read + len(data) >= source.bytes_total
    stretch = read_rows(data, delimiter=layout.delimiter, at_end=at_end, limit=ROWS)
    rows, size, lines = stretch.rows, stretch.size, stretch.lines
    if data and not size:
        fault = f"the row has more than {LONGEST_ROW:,} bytes"
        rows = [Row(line=0, cells=[data[:_LONGEST_SHOWN_CELL].decode(errors="replace")], fault=fault)]
        size, lines = _size_of_line(source), 1
    batch = _take_in(source, layout, rows, now=now)
    ImportProblem.objects.bulk_create(batch.problems, ignore_conflicts=True)
    source.rows_read += len(rows)
    source.rows_good += batch.good
    source.rows_duplicate += batch.duplicate
    source.rows_bad += len(batch.problems)
    source.bytes_read += size
    source.lines_read += lines


def _take_in(source: Import, layout: Layout, rows: Sequence[Row], *, now: datetime) -> _Batch:
    batch = _Batch()
    readable: list[tuple[Row, ContactFields]] = []
    for row in rows:
        fault = row.fault or ("has more cells than the header" if layout.is_too_long(row.cells) else "")
        if fault:
            batch.problems.append(_problem(source, row, column="", reason=fault))
        else:
            readable.append((row, cast("ContactFields", layout.fields_of(row.cells))))
    answers = contacts.take_in(source.workspace_id, [fields for _, fields in readable], now=now)
    new = _new_in_campaign(source, answers, now=now)
    for (row, _), answer in zip(readable, answers, strict=True):
        match answer:
            case Bad():
                column = layout.column_of(answer.field) or answer.field
                batch.problems.append(_problem(source, row, column=column, reason=answer.reason))
            case Taken() if answer.effect is not Effect.UNCHANGED or answer.contact.id in new:
                new.discard(answer.contact.id)
                batch.good += 1
            case Taken():
                batch.duplicate += 1
    return batch


def _new_in_campaign(source: Import, answers: Sequence[Taken | Bad], *, now: datetime) -> set[UUID]:
    if source.campaign_id is None:
        return set()
    ids = [answer.contact.id for answer in answers if isinstance(answer, Taken)]
    return membership.put_in(source.campaign_id, ids, workspace_id=source.workspace_id, now=now)


def _settle(source: Import, *, now: datetime) -> None:
    """Save the position; at the end of the file, finish the import and delete all of the file but its header."""
    if source.failure:
        source.status = ImportStatus.FAILED
    elif source.bytes_read >= source.bytes_total:
        source.status = ImportStatus.DONE
    else:
        source.status = ImportStatus.RUNNING
    source.lease_until = now + LEASE
    if source.status != ImportStatus.RUNNING:
        source.lease_until, source.finished_at = None, now
        header = _bytes(source, at=0, size=LONGEST_ROW)[: _layout(source).size] if not source.failure else b""
        ImportPart.objects.filter(source=source).delete()
        ImportPart.objects.create(source=source, number=0, content=header)
    source.save()


def _layout(source: Import) -> Layout:
    head = _bytes(source, at=0, size=LONGEST_ROW)
    # Only the header is left of a finished import.
    return layout_of(head, at_end=len(head) < LONGEST_ROW or len(head) >= source.bytes_total)


class _Piece(NamedTuple):
    piece: bytes


def _bytes(source: Import, *, at: int, size: int) -> bytes:
    """Read a stretch of the file, which may span several parts, without loading whole parts."""
    first, offset = divmod(at, PART_BYTES)
    pieces = fetch(
        _Piece,
        "import_bytes",
        """
        SELECT substring(content FROM CASE WHEN number = %(first)s THEN %(offset)s + 1 ELSE 1 END FOR %(size)s) AS piece
        FROM dialer_importpart WHERE source_id = %(source)s AND number BETWEEN %(first)s AND %(last)s ORDER BY number
        """,
        {
            "source": source.pk,
            "first": first,
            "offset": offset,
            "size": size,
            "last": (at + size - 1) // PART_BYTES,
        },
    )
    return b"".join(bytes(row.piece) for row in pieces)[:size]


def _size_of_line(source: Import) -> int:
    """Measure a line that is longer than a row may be."""
    size = 0
    while data := _bytes(source, at=source.bytes_read + size, size=PART_BYTES):
        ending = data.find(b"\n")
        if ending >= 0:
            return size + ending + 1
        size += len(data)
    return size


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut the upload into parts of the same size, except for the last one."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= PART_BYTES:
            yield bytes(buffer[:PART_BYTES])
            del buffer[:PART_BYTES]
    if buffer:
        yield bytes(buffer)


def _uploaded(source: Import) -> Change:
    campaign_id = source.campaign_id
    return Change.of(
        source,
        "import",
        "upload",
        to_state={
            "file_name": source.file_name,
            "bytes": source.bytes_total,
            "campaign_id": public_id(Campaign.public_prefix, campaign_id) if campaign_id else None,
        },
    )


def _problem(source: Import, row: Row, *, column: str, reason: str) -> ImportProblem:
    return ImportProblem(
        source=source,
        line=source.lines_read + row.line + 1,
        column=column[:100],
        reason=reason[:300],
        row=[_shown(cell) for cell in row.cells[:_MOST_SHOWN_CELLS]],
    )


def _shown(text: str) -> str:
    return text[:_LONGEST_SHOWN_CELL].encode(errors="replace").decode().replace("\x00", "")

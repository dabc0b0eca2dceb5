"""Write candidates to a file, then delete them from the ledger; resume what an earlier run left half done."""

import operator
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from registrar.compaction.archive_file import ArchiveDamaged, ArchiveFile, ArchiveMissing, Header, digest, read, spool
from registrar.compaction.places import Place, PlaceUnavailable, place
from registrar.ledger import Connection, Ledger, archive_rows, archives
from registrar.ledger.archive_rows import Line, parse_line
from registrar.ledger.archives import UnfinishedArchive
from registrar.ledger.engine import now
from registrar.ledger.queries import archivable, archivable_journal, archivable_tasks
from registrar.ledger.queries.archivable import Candidate, Scan
from registrar.ledger.schema import HEAD
from registrar.text.wording import plural

# Rows in one transaction: other writers wait for about 10 ms.
_AT_ONCE = 200


def _nothing_more(_line: Line) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Kind:
    """A kind of archive files.

    scan(connection, after, cutoff) goes through the table. lines(connection, keys, lock=) reads the rows that are still
    there, by key, in order. key(line) returns a line's key. delete(connection, lines, archive_seq) deletes the rows.
    same(present, line) compares a row of the ledger, None if it is gone, with a file's. end(line) returns what the
    ledger notes of a file's last line. in_order: files follow each other without a gap, and not month by month.
    """

    name: str
    scan: Callable[[Connection, int, datetime], Scan]
    lines: Callable[..., dict[Any, Line]]
    key: Callable[[Line], str | int]
    delete: Callable[[Connection, Sequence[Line], int], None]
    same: Callable[[Line | None, Line], bool] = operator.eq
    end: Callable[[Line], Mapping[str, Any]] = _nothing_more
    in_order: bool = False


_JOURNAL = Kind(
    "journal",
    archivable_journal.scan_journal,
    archive_rows.journal_lines,
    archive_rows.journal_seq,
    archive_rows.delete_entries,
    archive_rows.same_entry,
    archive_rows.journal_end,
    in_order=True,
)
_EVENTS = Kind(
    "events", archivable.scan_events, archive_rows.event_lines, archive_rows.event_id, archive_rows.delete_events
)
_TASKS = Kind(
    "tasks", archivable_tasks.scan_tasks, archive_rows.event_lines, archive_rows.event_id, archive_rows.delete_tasks
)
_REJECTIONS = Kind(
    "rejections",
    archivable.scan_rejections,
    archive_rows.rejection_lines,
    archive_rows.rejection_seq,
    archive_rows.delete_rejections,
)
# In this order: an event that only the journal told of may go after the journal's entries.
KINDS = {kind.name: kind for kind in (_JOURNAL, _EVENTS, _TASKS, _REJECTIONS)}


@dataclass(frozen=True)
class Written:
    """A file whose rows were deleted from the ledger. left: rows that changed since it was begun, and stay.

    resumed: the file was written by an earlier run that broke off.
    """

    path: str
    kind: str
    month: str
    rows: int
    tasks: int
    left: int = 0
    resumed: bool = False


def move(ledger: Ledger, kind: Kind, chosen: Sequence[Candidate], where: Place) -> Written:
    """Move rows into a file. Raises OSError, ArchiveDamaged, PlaceUnavailable, LedgerUnavailable; the next run resumes.

    The digest is noted before the file has its name, so that a file whose upload broke off is known to be incomplete.
    """
    month = chosen[0].month
    file = ArchiveFile(where, f"{kind.name}-{month}-{secrets.token_hex(4)}.jsonl.gz")
    with ledger.write() as connection:
        seq = archives.begin_archive(connection, where.address, file.name, kind=kind.name, month=month, at=now())
    since, until = (f(each.at for each in chosen).isoformat() for f in (min, max))
    tasks = sum(each.tasks for each in chosen)
    header = Header(kind.name, month, HEAD, since, until, len(chosen), tasks)
    with where.writing(file.name):
        sha256 = spool(file, header, _lines(ledger, kind, [each.key for each in chosen]))
        with ledger.write() as connection:
            archives.record_digest(connection, seq, sha256)
        where.publish(file.name)
    return _clear(ledger, seq, file, expected=sha256)


def resume(ledger: Ledger) -> Iterator[Written]:
    """Finish what earlier runs left. Raises ArchiveMissing, ArchiveDamaged, PlaceUnavailable; they name the run."""
    with ledger.read() as connection:
        unfinished = archives.unfinished_archives(connection)
    for archive in unfinished:
        try:
            written = _resume(ledger, archive)
        except (ArchiveMissing, ArchiveDamaged, PlaceUnavailable) as error:
            run = f"a run of {archive.started_at:%Y-%m-%d %H:%M} UTC to {archive.folder} broke off"
            raise type(error)(f"{run}, and this one can't go on with it: {error}") from None
        if written:
            yield written


def _resume(ledger: Ledger, archive: UnfinishedArchive) -> Written | None:
    """Go on with a file, or drop it if no row of it is deleted: its rows are all in the ledger, and are chosen again.

    What can't be reached or removed of a dropped one stays at its place. Where this ledger does not know the file's
    digest, it may be a copy, and the file that of the ledger it was copied from: a file with its name stays.
    """
    try:
        file = ArchiveFile(place(archive.folder), archive.name)
        there = file.place.exists(archive.name)
        if not (archive.deleted or (there and digest(file) == archive.sha256)):
            file.place.discard(archive.name, published=there and archive.sha256 is not None)
            there = False
    except PlaceUnavailable:
        if archive.deleted:
            raise
        there = False
    if there and archive.sha256 is not None:
        return replace(_clear(ledger, archive.seq, file, expected=archive.sha256), resumed=True)
    if archive.deleted:
        rows = plural(archive.deleted, "row of it is", "rows of it are")
        raise ArchiveMissing(f"{file} is not there, and {rows} deleted: bring it back, then archive again")
    with ledger.write() as connection:
        archives.forget_archive(connection, archive.seq)
    return None


def _lines(ledger: Ledger, kind: Kind, keys: Iterable[str | int]) -> Iterator[Line]:
    for batch in _batches(keys):
        with ledger.read() as connection:
            lines = kind.lines(connection, batch)
        yield from lines.values()


def _clear(ledger: Ledger, seq: int, file: ArchiveFile, *, expected: str) -> Written:
    """Delete the rows that a file holds. expected: its digest as it was noted when it was written."""
    if (sha256 := digest(file)) != expected:
        raise ArchiveDamaged(
            f"{file} is not as it was written (SHA-256 {sha256}, not {expected}); nothing more was deleted"
        )
    header, lines = read(file)
    count, last = 0, ""
    for count, last in enumerate(lines, start=1):  # noqa: B007 (both are used after the loop)
        pass
    if count != header.count:
        raise ArchiveDamaged(f"{file} has {count} rows, and should have {header.count}; nothing was deleted")
    kind = KINDS[header.kind]
    with ledger.write() as connection:
        archives.record_end(connection, seq, **kind.end(parse_line(last)))
    left = 0
    for batch in _batches(parse_line(line) for line in read(file)[1]):
        began = time.monotonic()
        left += _delete(ledger, kind, batch, seq)
        time.sleep(time.monotonic() - began)  # half of the time for other writers, which poll SQLite's lock
    with ledger.write() as connection:
        archives.finish_archive(connection, seq, at=now())
    return Written(str(file), header.kind, header.month, header.count, header.tasks, left)


def _delete(ledger: Ledger, kind: Kind, lines: Sequence[Line], seq: int) -> int:
    """Delete rows that are unchanged in the ledger. Returns how many have changed, and stay."""
    with ledger.write() as connection:
        rows = kind.lines(connection, [kind.key(line) for line in lines], lock=True)
        present = {key: row for key, row in rows.items() if not archive_rows.is_moved(row, seq)}
        unchanged = [line for line in lines if kind.same(present.get(kind.key(line)), line)]
        if unchanged:
            kind.delete(connection, unchanged, seq)
            archives.count_deleted(connection, seq, len(unchanged))
    return len(present) - len(unchanged)


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch

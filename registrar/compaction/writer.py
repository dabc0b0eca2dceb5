"""Write candidates to a file, then delete them from the ledger; resume what an earlier run left half done."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from registrar.compaction.archive_file import ArchiveDamaged, ArchiveMissing, Header, digest, part_of, read, write
from registrar.ledger import Connection, Ledger, archive_rows, archives
from registrar.ledger.archive_rows import Line, parse_line
from registrar.ledger.archives import UnfinishedArchive
from registrar.ledger.engine import now
from registrar.ledger.queries.archivable import Candidate, Scan, scan_events, scan_rejections
from registrar.ledger.schema import HEAD

# Rows in one transaction: other writers wait for about 10 ms.
_AT_ONCE = 200


@dataclass(frozen=True)
class Kind:
    """A kind of archive files.

    scan(connection, after, cutoff) goes through the table. lines(connection, keys, lock=) reads the rows that are still
    there, by key, in order. key(line) returns a line's key. delete(connection, lines, archive_seq) deletes the rows.
    """

    name: str
    scan: Callable[[Connection, int, datetime], Scan]
    lines: Callable[..., dict[Any, Line]]
    key: Callable[[Line], str | int]
    delete: Callable[[Connection, Sequence[Line], int], None]


_EVENTS = Kind("events", scan_events, archive_rows.event_lines, archive_rows.event_id, archive_rows.delete_events)
_REJECTIONS = Kind(
    "rejections",
    scan_rejections,
    archive_rows.rejection_lines,
    archive_rows.rejection_seq,
    archive_rows.delete_rejections,
)
KINDS = {kind.name: kind for kind in (_EVENTS, _REJECTIONS)}


@dataclass(frozen=True)
class Written:
    """A file whose rows were deleted from the ledger. left: rows that changed meanwhile and stay in the ledger.

    resumed: the file was written by an earlier run that broke off.
    """

    path: Path
    kind: str
    month: str
    rows: int
    tasks: int
    left: int = 0
    resumed: bool = False


def move(ledger: Ledger, kind: Kind, chosen: Sequence[Candidate], folder: Path) -> Written:
    """Move rows of one month into a file. Raises OSError, ArchiveDamaged, LedgerUnavailable; the next run resumes."""
    month = chosen[0].month
    path = folder.absolute() / f"{kind.name}-{month}-{secrets.token_hex(4)}.jsonl.gz"
    with ledger.write() as connection:
        seq = archives.begin_archive(connection, path, kind=kind.name, month=month, at=now())
    since, until = (f(each.at for each in chosen).isoformat() for f in (min, max))
    tasks = sum(each.tasks for each in chosen)
    header = Header(kind.name, month, HEAD, since, until, len(chosen), tasks)
    write(path, header, _lines(ledger, kind, [each.key for each in chosen]))
    return _clear(ledger, seq, path)


def resume(ledger: Ledger) -> Iterator[Written]:
    """Finish what an earlier run left. Raises ArchiveMissing, ArchiveDamaged."""
    with ledger.read() as connection:
        unfinished = archives.unfinished_archives(connection)
    for archive in unfinished:
        if archive.path.exists():
            yield replace(_clear(ledger, archive.seq, archive.path, expected=archive.sha256), resumed=True)
        elif archive.deleted:
            raise ArchiveMissing(
                f"{archive.path} is not there, and {archive.deleted} rows of it are deleted: bring it back, then "
                "archive again"
            )
        else:
            _forget(ledger, archive)


def _forget(ledger: Ledger, archive: UnfinishedArchive) -> None:
    """Drop an archive whose file was never finished; its rows are chosen again."""
    part_of(archive.path).unlink(missing_ok=True)
    with ledger.write() as connection:
        archives.forget_archive(connection, archive.seq)


def _lines(ledger: Ledger, kind: Kind, keys: Iterable[str | int]) -> Iterator[Line]:
    for batch in _batches(keys):
        with ledger.read() as connection:
            lines = kind.lines(connection, batch)
        yield from lines.values()


def _clear(ledger: Ledger, seq: int, path: Path, *, expected: str | None = None) -> Written:
    """Delete the rows that a file holds. expected: its digest as an earlier run noted it."""
    sha256 = digest(path)
    if expected is not None and sha256 != expected:
        raise ArchiveDamaged(
            f"{path} is not as it was written (SHA-256 {sha256}, not {expected}); nothing more was deleted"
        )
    header, lines = read(path)
    if (count := sum(1 for _ in lines)) != header.count:
        raise ArchiveDamaged(f"{path} has {count} rows, and should have {header.count}; nothing was deleted")
    with ledger.write() as connection:
        archives.record_digest(connection, seq, sha256)
    left = 0
    for batch in _batches(parse_line(line) for line in read(path)[1]):
        began = time.monotonic()
        left += _delete(ledger, KINDS[header.kind], batch, seq)
        time.sleep(time.monotonic() - began)  # half of the time for other writers, which poll SQLite's lock
    with ledger.write() as connection:
        archives.finish_archive(connection, seq, at=now())
    return Written(path, header.kind, header.month, header.count, header.tasks, left)


def _delete(ledger: Ledger, kind: Kind, lines: Sequence[Line], seq: int) -> int:
    """Delete rows that are unchanged in the ledger. Returns how many have changed, and stay."""
    with ledger.write() as connection:
        present = kind.lines(connection, [kind.key(line) for line in lines], lock=True)
        unchanged = [line for line in lines if present.get(kind.key(line)) == line]
        if unchanged:
            kind.delete(connection, unchanged, seq)
            archives.count_deleted(connection, seq, len(unchanged))
    return len(present) - len(unchanged)


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch

"""Write candidates to a file, then delete them from the ledger; resume what an earlier run left half done."""

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from registrar.compaction.archive_file import (
    ArchiveDamaged,
    ArchiveMissing,
    Header,
    digest,
    parse_line,
    part_of,
    read,
    write,
)
from registrar.compaction.events import EVENTS
from registrar.compaction.rejections import REJECTIONS
from registrar.compaction.scan import Candidate, Kind, Line
from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.ledger.schema import HEAD
from registrar.ledger.tables import archives

KINDS = {kind.name: kind for kind in (EVENTS, REJECTIONS)}
# Rows in one transaction: other writers wait for about 10 ms.
_AT_ONCE = 200


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
    values = {"name": path.name, "folder": str(path.parent), "kind": kind.name, "month": month, "started_at": now()}
    with ledger.write() as connection:
        seq = connection.execute(insert(archives).values(values).returning(archives.c.seq)).scalar_one()
    since, until = (f(each.at for each in chosen).isoformat() for f in (min, max))
    tasks = sum(each.tasks for each in chosen)
    header = Header(kind.name, month, HEAD, since, until, len(chosen), tasks)
    write(path, header, _lines(ledger, kind, [each.key for each in chosen]))
    return _clear(ledger, seq, path)


def resume(ledger: Ledger) -> Iterator[Written]:
    """Finish what an earlier run left. Raises ArchiveMissing, ArchiveDamaged."""
    with ledger.read() as connection:
        unfinished = connection.execute(select(archives).where(archives.c.done_at.is_(None))).all()
    for row in unfinished:
        path = Path(row.folder, row.name)
        if path.exists():
            yield replace(_clear(ledger, row.seq, path, expected=row.sha256), resumed=True)
        elif row.deleted:
            raise ArchiveMissing(
                f"{path} is not there, and {row.deleted} rows of it are deleted: bring it back, then archive again"
            )
        else:
            _forget(ledger, row, path)


def _forget(ledger: Ledger, row: Row[Any], path: Path) -> None:
    """Drop an archive whose file was never finished; its rows are chosen again."""
    part_of(path).unlink(missing_ok=True)
    with ledger.write() as connection:
        connection.execute(delete(archives).where(archives.c.seq == row.seq))


def _lines(ledger: Ledger, kind: Kind, keys: Iterable[str | int]) -> Iterator[Line]:
    for some in _batches(keys):
        with ledger.read() as connection:
            found = kind.lines(connection, some)
        yield from found.values()


def _clear(ledger: Ledger, seq: int, path: Path, *, expected: str | None = None) -> Written:
    """Delete the rows that a file holds. expected: its digest as an earlier run noted it."""
    found = digest(path)
    if expected is not None and found != expected:
        raise ArchiveDamaged(
            f"{path} is not as it was written (SHA-256 {found}, not {expected}); nothing more was deleted"
        )
    header, lines = read(path)
    if (count := sum(1 for _ in lines)) != header.count:
        raise ArchiveDamaged(f"{path} has {count} rows, and should have {header.count}; nothing was deleted")
    _update_archive(ledger, seq, sha256=found)
    left = 0
    for some in _batches(parse_line(line) for line in read(path)[1]):
        began = time.monotonic()
        left += _delete(ledger, KINDS[header.kind], some, seq)
        time.sleep(time.monotonic() - began)  # half of the time for other writers, which poll SQLite's lock
    _update_archive(ledger, seq, done_at=now())
    return Written(path, header.kind, header.month, header.count, header.tasks, left)


def _delete(ledger: Ledger, kind: Kind, lines: Sequence[Line], seq: int) -> int:
    """Delete rows that are unchanged in the ledger. Returns how many have changed, and stay."""
    with ledger.write() as connection:
        there = kind.lines(connection, [kind.key(line) for line in lines], lock=True)
        same = [line for line in lines if there.get(kind.key(line)) == line]
        if same:
            kind.delete(connection, same, seq)
            more = {"deleted": archives.c.deleted + len(same)}
            connection.execute(update(archives).where(archives.c.seq == seq).values(more))
    return len(there) - len(same)


def _update_archive(ledger: Ledger, seq: int, **values: object) -> None:
    with ledger.write() as connection:
        connection.execute(update(archives).where(archives.c.seq == seq).values(values))


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some

"""The table of archive files, and the lock that lets one compaction run at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from registrar.errors import UserError
from registrar.ledger.engine import Ledger
from registrar.ledger.tables import archives

_LOCK = 0x4172_6368  # any constant: the key of PostgreSQL's advisory lock


@dataclass(frozen=True)
class UnfinishedArchive:
    """An archive whose run broke off. folder: its path or address. started_at: when that run began to write it.

    sha256: of the file; None: it was not whole. deleted: rows, from the ledger.
    """

    seq: int
    folder: str
    name: str
    sha256: str | None
    deleted: int
    started_at: datetime


class AlreadyArchiving(UserError):
    """Another compaction is running."""

    def __init__(self) -> None:
        super().__init__("another run is archiving this ledger just now; nothing was done")


def begin_archive(connection: Connection, folder: str, name: str, *, kind: str, month: str, at: datetime) -> int:
    """Insert an archive that is about to be written, and return its seq."""
    values = {"name": name, "folder": folder, "kind": kind, "month": month, "started_at": at}
    return int(connection.execute(insert(archives).values(values).returning(archives.c.seq)).scalar_one())


def unfinished_archives(connection: Connection) -> list[UnfinishedArchive]:
    rows = connection.execute(select(archives).where(archives.c.done_at.is_(None)))
    return [UnfinishedArchive(row.seq, row.folder, row.name, row.sha256, row.deleted, row.started_at) for row in rows]


def record_digest(connection: Connection, seq: int, sha256: str) -> None:
    _update(connection, seq, sha256=sha256)


def record_end(connection: Connection, seq: int, **values: Any) -> None:
    """Note the last entry of a file of the journal: until_seq, until_hash."""
    if values:
        _update(connection, seq, **values)


def count_deleted(connection: Connection, seq: int, rows: int) -> None:
    _update(connection, seq, deleted=archives.c.deleted + rows)


def finish_archive(connection: Connection, seq: int, *, at: datetime) -> None:
    _update(connection, seq, done_at=at)


def forget_archive(connection: Connection, seq: int) -> None:
    connection.execute(delete(archives).where(archives.c.seq == seq))


def _update(connection: Connection, seq: int, **values: Any) -> None:
    connection.execute(update(archives).where(archives.c.seq == seq).values(values))


@contextmanager
def exclusive_run(ledger: Ledger) -> Iterator[None]:
    """Hold the lock for the block, across processes and machines; the death of the process frees it.

    Raises AlreadyArchiving.
    """
    with _postgresql_lock(ledger) if ledger.engine.dialect.name == "postgresql" else _sqlite_lock(ledger):
        yield


@contextmanager
def _sqlite_lock(ledger: Ledger) -> Iterator[None]:
    descriptor = os.open(f"{ledger.engine.url.database}.archiving", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise AlreadyArchiving from None
    finally:
        os.close(descriptor)


@contextmanager
def _postgresql_lock(ledger: Ledger) -> Iterator[None]:
    with ledger.read() as connection:
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one()
        connection.commit()  # the lock belongs to the session; no transaction stays open
        if not taken:
            raise AlreadyArchiving
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()

"""A lock across processes and machines: one compaction at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from registrar.errors import UserError
from registrar.ledger import Ledger

_ARCHIVING = 0x4172_6368  # any constant: the key of PostgreSQL's advisory lock


class AlreadyArchiving(UserError):
    """Another compaction is running."""

    def __init__(self) -> None:
        super().__init__("another run is archiving this ledger just now; nothing was done")


@contextmanager
def exclusive_run(ledger: Ledger) -> Iterator[None]:
    """Hold the lock for the block; the death of the process frees it. Raises AlreadyArchiving."""
    with _of_postgresql(ledger) if ledger.engine.dialect.name == "postgresql" else _of_sqlite(ledger):
        yield


@contextmanager
def _of_sqlite(ledger: Ledger) -> Iterator[None]:
    descriptor = os.open(f"{ledger.engine.url.database}.archiving", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise AlreadyArchiving from None
    finally:
        os.close(descriptor)


@contextmanager
def _of_postgresql(ledger: Ledger) -> Iterator[None]:
    with ledger.read() as connection:
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ARCHIVING}).scalar_one()
        connection.commit()  # the lock belongs to the session; no transaction stays open
        if not taken:
            raise AlreadyArchiving
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ARCHIVING})
            connection.commit()

"""One run of the archive at a time, whoever started it and where."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from registrar.errors import UserError
from registrar.ledger import Ledger

_ARCHIVING = 0x4172_6368  # any constant: PostgreSQL's advisory lock of whoever archives


class AlreadyArchiving(UserError):
    """Another run is under way."""

    def __init__(self) -> None:
        super().__init__("another run is archiving this ledger just now; nothing was done")


@contextmanager
def exclusive_run(ledger: Ledger) -> Iterator[None]:
    """Raises AlreadyArchiving. A run that was killed holds nothing."""
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
        connection.commit()  # the lock is the session's: no transaction stays open meanwhile
        if not taken:
            raise AlreadyArchiving
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ARCHIVING})
            connection.commit()

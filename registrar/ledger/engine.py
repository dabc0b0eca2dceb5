"""Open the ledger: one engine per process, short transactions, writers that wait in turn and for a limited time."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from registrar.errors import UserError
from registrar.ledger import before_commit
from registrar.ledger.unavailable import BUSY, LOCKED, READ_ONLY, LedgerUnavailable, Outages, reason

__all__ = ["BUSY_SECONDS", "TRANSACTION_ERRORS", "Ledger", "LedgerUnavailable", "LedgerUrlError", "now"]

# Everything that a transaction may raise.
TRANSACTION_ERRORS = (LedgerUnavailable, SQLAlchemyError)

# Seconds that a writer waits for another; less than Slack's 3 s.
BUSY_SECONDS = 2.0
# libpq's defaults wait for ever for a dead host: https://www.postgresql.org/docs/current/libpq-connect.html
_TIMEOUTS = {"connect_timeout": 2, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
# Seconds between two tries of a writer; a commit takes ten times as long.
_RETRY_SECONDS = 0.0005
Result = TypeVar("Result")
_EXAMPLE = "sqlite:////var/lib/registrar/ledger.db or postgresql+psycopg://USER:PASSWORD@HOST/NAME"


class LedgerUrlError(UserError, ValueError):
    """The URL names no usable database; the message shows what one looks like."""

    exit_code = 2


class Ledger:
    """The ledger's database. url: sqlite:///PATH or postgresql+psycopg://... `registrar migrate` creates its schema.

    Raises LedgerUrlError.
    """

    def __init__(self, url: str) -> None:
        self.url = url  # as it was given
        self.engine = _engine(url)
        self.outages = Outages()
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction, committed at the end of the block. Raises LedgerUnavailable."""
        with self._translate_errors():
            with self._in_turn(), self.engine.begin() as connection, before_commit.collecting(connection):
                yield connection
            self.outages.succeeded()

    def written(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction and return its result. Raises LedgerUnavailable.

        Tries again where the database is read-only: connections stay read-only when the database no longer is.
        """
        try:
            return self._written(work)
        except LedgerUnavailable as error:
            if error.reason != READ_ONLY:
                raise
        return self._written(work)

    def _written(self, work: Callable[[Connection], Result]) -> Result:
        with self.write() as connection:
            return work(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a consistent view, without a lock. Raises LedgerUnavailable."""
        with self._translate_errors(), self.engine.connect().execution_options(read=True) as connection:
            yield connection

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            self.outages.failed()
            raise LedgerUnavailable(f"no connection became free in {BUSY_SECONDS:g} s", BUSY) from error
        except DBAPIError as error:
            if (why := reason(error)) is None:
                raise
            self.outages.failed()
            if why != LOCKED:  # connections that were opened during the failure would keep failing after it
                self.engine.dispose()
            raise LedgerUnavailable(str(error.orig), why) from error

    def _in_turn(self) -> AbstractContextManager[None]:
        """Let the threads of a process write in turn. With SQLite's lock alone they sleep and retry, and some of 16
        threads under load never got it within BUSY_SECONDS.
        """
        return _held(self._turn) if self._turn else nullcontext()

    def close(self) -> None:
        self.engine.dispose()


def compact_json(value: object) -> str:
    """Return JSON without blanks, as the ledger stores it."""
    return json.dumps(value, separators=(",", ":"))


def now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=BUSY_SECONDS):
        raise LedgerUnavailable(f"this process's writers kept it for more than {BUSY_SECONDS:g} s", BUSY)
    try:
        yield
    finally:
        lock.release()


def _engine(url: str) -> Engine:
    try:
        engine = _sqlite(url) if make_url(url).get_backend_name() == "sqlite" else _server(url)
    except (ArgumentError, ValueError):  # their messages contain parts of the URL, which has a password
        raise LedgerUrlError(f"REGISTRAR_LEDGER_URL is no database's address; one is such as {_EXAMPLE}") from None
    # Insert many rows by one statement, also without RETURNING: with a statement per row, a thread would release the
    # GIL and wait for it again for each row.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def _server(url: str) -> Engine:
    waits = {"connect_args": {**_TIMEOUTS, "tcp_user_timeout": 10_000}, "pool_timeout": BUSY_SECONDS}
    kept = {"hide_parameters": True, "json_serializer": compact_json}
    engine = create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=20, **kept, **waits)
    event.listen(engine, "connect", _postgresql_connected)
    return engine


def _sqlite(url: str) -> Engine:
    # Last in, first out: writers take turns, so that one warm connection does nearly all writes.
    engine = create_engine(
        url,
        hide_parameters=True,  # no error shows the data of an event
        json_serializer=compact_json,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        pool_size=5,
        max_overflow=20,
        pool_timeout=BUSY_SECONDS,
        pool_use_lifo=True,
    )
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(connection: Any, record: object) -> None:
    # FULL: a commit is on disk, and not only in the page cache, before a 2xx is answered. A checkpoint, for which one
    # commit waits, comes after 16 MiB instead of 4, as pages that change often are then written back once.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}")


def _postgresql_connected(connection: Any, record: object) -> None:
    # A table lock, such as that of VACUUM FULL, must not keep a sender waiting for ever.
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {BUSY_SECONDS * 1000:.0f}")
        # A plan cached while a table was empty would scan the whole table after it has grown.
        cursor.execute("SET plan_cache_mode = force_custom_plan")
    connection.commit()


def _sqlite_begin(connection: Connection) -> None:
    # IMMEDIATE: a writer takes the lock at once. One that began by reading would fail at its first write.
    reads = connection.get_execution_options().get("read", False)
    own: Any = connection.connection.driver_connection
    if connection.info.get("patient", True) is not reads:  # a writer has the lock, and waits for nothing more
        own.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000 if reads else 0:.0f}")
        connection.info["patient"] = reads
    if reads:
        connection.exec_driver_sql("BEGIN")
    elif not _begin_write(own):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails, and raises the error


def _begin_write(connection: sqlite3.Connection) -> bool:
    """Begin a write within BUSY_SECONDS; return whether that was possible.

    SQLite itself would sleep longer and longer, up to 0.1 s: most of the time of a receiver with several processes.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                return False
            time.sleep(_RETRY_SECONDS)
        else:
            return True

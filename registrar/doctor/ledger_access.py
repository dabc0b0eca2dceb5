"""Opens the ledger without creating it, and explains why it can't be opened."""

from collections.abc import Iterator
from contextlib import contextmanager

from registrar.config.credentials import without_login
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.database import sqlite_file
from registrar.ledger.engine import TRANSACTION_ERRORS, LedgerUrlError
from registrar.ledger.heartbeats import Heartbeat, all_known, time_of

_ADVICE = "Is the database up, and is REGISTRAR_LEDGER_URL right? Until then no event is accepted"


class LedgerNotReadable(Exception):
    """The message says why the ledger can't be used. advice: what to do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.advice = advice


@contextmanager
def open_ledger(url: str) -> Iterator[Ledger]:
    """Yield the ledger, and close it after the block. Raises LedgerNotReadable, also for errors inside the block."""
    ledger = _open(url)
    where = without_login(url)
    try:
        _check_encoding(ledger, where)
        yield ledger
    except LedgerUnavailable as error:
        raise LedgerNotReadable(f"{where} {error.reason} ({' '.join(str(error).split())[:200]})", _ADVICE) from None
    except TRANSACTION_ERRORS as error:
        raise LedgerNotReadable(f"{where} can't be used ({type(error).__name__})", _ADVICE) from None
    finally:
        ledger.close()


def list_living(url: str) -> list[Heartbeat]:
    """Return the processes that are alive; none where the ledger can't be read, which the ledger's check reports."""
    try:
        with open_ledger(url) as ledger, ledger.read() as connection:
            at = time_of(connection)
            return [heartbeat for heartbeat in all_known(connection) if not heartbeat.silent(at)]
    except LedgerNotReadable:
        return []


def _check_encoding(ledger: Ledger, where: str) -> None:
    """Raise LedgerNotReadable for a database in SQL_ASCII: psycopg returns bytes where SQLAlchemy expects text."""
    try:
        with ledger.read():
            pass
    except TypeError:
        advice = "Create a database with ENCODING 'UTF8', which names need"
        raise LedgerNotReadable(f"{where} has an encoding that can't be read (SQL_ASCII?)", advice) from None


def _open(url: str) -> Ledger:
    try:
        if (file := sqlite_file(url)) and not file.exists():
            raise LedgerNotReadable(f"there is no ledger at {file}", "Create it: registrar migrate")
        return Ledger(url)
    except LedgerUrlError as error:
        raise LedgerNotReadable(str(error), "Correct REGISTRAR_LEDGER_URL") from None
    except ModuleNotFoundError as error:
        advice = "pip install 'mlflow-registrar[postgres]'"
        raise LedgerNotReadable(f"{without_login(url)} needs {error.name}, which is not installed", advice) from None

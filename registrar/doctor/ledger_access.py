"""Opens the ledger for reading, without creating one, and says why it can't be opened."""

from collections.abc import Iterator
from contextlib import contextmanager

from registrar.config.credentials import without_login
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.database import sqlite_file
from registrar.ledger.engine import TRANSACTION_ERRORS, LedgerUrlError
from registrar.ledger.heartbeats import Heartbeat, all_known, time_of

_ADVICE = "Is the database up, and REGISTRAR_LEDGER_URL right? Nothing is accepted while it is not"


class LedgerNotReadable(Exception):
    """It can't be used; the message says why. advice: what to do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.advice = advice


@contextmanager
def open_ledger(url: str) -> Iterator[Ledger]:
    """Closed at the end of the block. Raises LedgerNotReadable, for what goes wrong in the block too."""
    ledger = _ledger(url)
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
    """The processes that live; none where the ledger can't be read, which its own check says."""
    try:
        with open_ledger(url) as ledger, ledger.read() as connection:
            at = time_of(connection)
            return [one for one in all_known(connection) if not one.silent(at)]
    except LedgerNotReadable:
        return []


def _check_encoding(ledger: Ledger, where: str) -> None:
    """Of a database in SQL_ASCII, psycopg gives bytes where SQLAlchemy expects text. Raises LedgerNotReadable."""
    try:
        with ledger.read():
            pass
    except TypeError:
        advice = "Make a database with ENCODING 'UTF8': names need it"
        raise LedgerNotReadable(f"{where} has an encoding that can't be read (SQL_ASCII?)", advice) from None


def _ledger(url: str) -> Ledger:
    try:
        if (file := sqlite_file(url)) and not file.exists():
            raise LedgerNotReadable(f"there is no ledger at {file}", "Make it: registrar migrate")
        return Ledger(url)
    except LedgerUrlError as error:
        raise LedgerNotReadable(str(error), "Correct it") from None
    except ModuleNotFoundError as error:
        advice = "pip install 'mlflow-registrar[postgres]'"
        raise LedgerNotReadable(f"{without_login(url)} needs {error.name}, which is not installed", advice) from None

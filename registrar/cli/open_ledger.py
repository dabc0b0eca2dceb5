"""Opens the ledger for a command. Apart from context.py, as it loads SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager

from registrar.config.credentials import without_login
from registrar.ledger import Ledger
from registrar.ledger.engine import LedgerUnavailable
from registrar.ledger.schema import check


@contextmanager
def open_ledger(url: str, *, checked: bool) -> Iterator[Ledger]:
    """Yield the ledger, with its schema checked. Raises LedgerUnavailable, also in the block; SchemaMismatch."""
    opened = Ledger(url)
    try:
        if checked:
            check(opened)
        yield opened
    except LedgerUnavailable as error:
        where = without_login(url)
        raise LedgerUnavailable(f"the ledger {where} {error.reason}: {error}", error.reason) from error
    finally:
        opened.close()

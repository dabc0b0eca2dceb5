"""Says whether the ledger's schema is the one of this version, without loading Alembic: the receiver starts light."""

from sqlalchemy import Connection, inspect, text

from registrar.ledger.engine import Ledger
from registrar.problem import Problem

HEAD = "0014"  # the newest file in migrations/versions; a test keeps the two equal


class SchemaMismatch(Problem, RuntimeError):
    """The ledger's schema is not the one this version works with; the message says what to do."""


def check(ledger: Ledger) -> None:
    """Raises SchemaMismatch unless the schema is the one of this version, LedgerUnavailable if it can't be read."""
    with ledger.read() as connection:
        found = revision(connection)
    if found != HEAD:
        raise SchemaMismatch(
            f"the ledger is at revision {found or 'none'}, this version needs {HEAD}: run `registrar migrate`"
        )


def revision(connection: Connection) -> str | None:
    """The revision that Alembic noted, or None in a database that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

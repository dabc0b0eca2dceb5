"""Brings the ledger's schema up to date, and says whether it is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from registrar.ledger.engine import Ledger

_MIGRATING = 0x5265_6769  # any constant: PostgreSQL's advisory lock while migrating


class SchemaMismatch(RuntimeError):
    """The ledger's schema is not the one this version works with; the message says what to do."""


def migrate(ledger: Ledger) -> str:
    """Run what is missing, in one transaction; safe to run from several processes at once. Returns the revision."""
    with ledger.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        command.upgrade(_config(connection), "head")
        return _head()


def check(ledger: Ledger) -> None:
    """Raises SchemaMismatch unless the schema is the one of this version."""
    with ledger.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != _head():
        raise SchemaMismatch(
            f"the ledger is at revision {found or 'none'}, this version needs {_head()}: run `registrar migrate`"
        )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _head() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""

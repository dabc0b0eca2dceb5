"""Brings the ledger's schema up to date; schema.py says whether it is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from registrar.ledger.engine import Ledger
from registrar.ledger.schema import SchemaMismatch, check, refuse_foreign, refuse_newer

__all__ = ["SchemaMismatch", "check", "migrate"]

_MIGRATING = 0x5265_6769  # any constant: PostgreSQL's advisory lock while migrating


def migrate(ledger: Ledger, *, to: str = "head") -> str:
    """Run what is missing, in one transaction; safe to run from several processes at once. Returns the revision."""
    with ledger.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's migration may take its time
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        refuse_foreign(connection)
        refuse_newer(connection)
        command.upgrade(_config(connection), to)
        return _head() if to == "head" else to


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _head() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""

"""Migrate the ledger's schema by Alembic; schema.py checks it."""

from importlib.metadata import version
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select, text

from registrar.ledger.engine import Ledger, now
from registrar.ledger.schema import SchemaMismatch, check, refuse_foreign, refuse_newer, revision
from registrar.ledger.tables import schema_versions

__all__ = ["SchemaMismatch", "check", "migrate"]

# Any constant: the key of PostgreSQL's advisory lock while migrating.
_MIGRATING = 0x5265_6769


def migrate(ledger: Ledger, *, to: str = "head") -> str:
    """Run the missing migrations in one transaction. Safe from several processes at once. Returns the revision.

    Raises NewerSchema, LedgerUnavailable.
    """
    with ledger.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another process's migration may take long
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        refuse_foreign(connection)
        refuse_newer(connection)
        command.upgrade(_config(connection), to)
        _record_schema_version(connection)
        return _head() if to == "head" else to


def _record_schema_version(connection: Connection) -> None:
    """Note that this version of Registrar migrated the ledger to its revision, unless an earlier one did."""
    if not inspect(connection).has_table(schema_versions.name):  # an older revision was asked for
        return
    values = {"revision": revision(connection), "version": version("mlflow-registrar"), "at": now()}
    known = select(schema_versions.c.revision).where(schema_versions.c.revision == values["revision"])
    if connection.execute(known).first() is None:
        connection.execute(insert(schema_versions).values(values))


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _head() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""

"""Check that the ledger has the schema of this version, without loading Alembic, so that the receiver starts fast."""

import re
from importlib.metadata import version

from sqlalchemy import Connection, inspect, select, text

from registrar.errors import UserError
from registrar.ledger.engine import Ledger
from registrar.ledger.tables import metadata, schema_versions

HEAD = "0022"  # the newest file in migrations/versions; a test keeps the two equal


class SchemaMismatch(UserError, RuntimeError):
    """The ledger's schema is not the one this version works with; the message says what to do."""


class NewerSchema(SchemaMismatch):
    """A newer version migrated the ledger. Migrations can't be undone, and this version can't use it."""


def refuse_foreign(connection: Connection) -> None:
    """Raise SchemaMismatch for another program's database, such as MLflow's, which has an alembic_version, too."""
    present = revision(connection)
    own_names = set(inspect(connection).get_table_names()) & set(metadata.tables) if present is None else set()
    if own_names or (present is not None and not re.fullmatch(r"[0-9]{4}", present)):
        named = f"a table {sorted(own_names)[0]}" if own_names else f"a schema at revision {present}"
        raise SchemaMismatch(
            f"the ledger's database is another program's: it has {named} that is none of ours. Give Registrar a "
            "database of its own: REGISTRAR_LEDGER_URL, `registrar up --ledger`"
        )


def check(ledger: Ledger) -> None:
    """Raise SchemaMismatch unless the schema is that of this version, LedgerUnavailable if it can't be read."""
    with ledger.read() as connection:
        refuse_foreign(connection)
        refuse_newer(connection)
        present = revision(connection)
    if present != HEAD:
        raise SchemaMismatch(
            f"the ledger is at revision {present or 'none'}, this version needs {HEAD}: run `registrar migrate`"
        )


def refuse_newer(connection: Connection) -> None:
    """Raise NewerSchema for a revision above HEAD. Revisions are numbers of four digits."""
    present = revision(connection)
    if present is None or present <= HEAD:
        return
    own, other = version("mlflow-registrar"), _version(connection, present)
    use = f"use {other} or later" if other not in (None, own) else f"use one that knows revision {present}, or later"
    raise NewerSchema(
        f"the ledger is newer than this version ({own}, revision {HEAD}): it is at revision {present}; {use}"
    )


def revision(connection: Connection) -> str | None:
    """Return the revision that Alembic noted; None in a database that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _version(connection: Connection, revision: str) -> str | None:
    """Return the version of Registrar that first migrated a ledger to this revision; None: not known."""
    if not inspect(connection).has_table(schema_versions.name):
        return None
    query = select(schema_versions.c.version).where(schema_versions.c.revision == revision)
    return connection.execute(query).scalar_one_or_none()

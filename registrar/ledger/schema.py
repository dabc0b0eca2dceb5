"""Says whether the ledger's schema is the one of this version, without loading Alembic: the receiver starts light."""

import re
from importlib.metadata import version

from sqlalchemy import Connection, inspect, select, text

from registrar.errors import UserError
from registrar.ledger.engine import Ledger
from registrar.ledger.tables import metadata, schema_versions

HEAD = "0016"  # the newest file in migrations/versions; a test keeps the two equal


class SchemaMismatch(UserError, RuntimeError):
    """The ledger's schema is not the one this version works with; the message says what to do."""


class NewerSchema(SchemaMismatch):
    """A newer version migrated the ledger: there is no way back, and this one can't use it."""


def refuse_foreign(connection: Connection) -> None:
    """Raises SchemaMismatch for a database that is another program's: MLflow's own has an alembic_version, too."""
    found = revision(connection)
    taken = set(inspect(connection).get_table_names()) & set(metadata.tables) if found is None else set()
    if taken or (found is not None and not re.fullmatch(r"[0-9]{4}", found)):
        named = f"a table {sorted(taken)[0]}" if taken else f"a schema at revision {found}"
        raise SchemaMismatch(
            f"the ledger's database is another program's: it has {named} that is none of ours. Give Registrar a "
            "database of its own: REGISTRAR_LEDGER_URL, `registrar up --ledger`"
        )


def check(ledger: Ledger) -> None:
    """Raises SchemaMismatch unless the schema is the one of this version, LedgerUnavailable if it can't be read."""
    with ledger.read() as connection:
        refuse_foreign(connection)
        refuse_newer(connection)
        found = revision(connection)
    if found != HEAD:
        raise SchemaMismatch(
            f"the ledger is at revision {found or 'none'}, this version needs {HEAD}: run `registrar migrate`"
        )


def refuse_newer(connection: Connection) -> None:
    """Raises NewerSchema. Revisions are numbers of one length, each greater than the one before."""
    found = revision(connection)
    if found is None or found <= HEAD:
        return
    own, other = version("mlflow-registrar"), _version(connection, found)
    use = f"use {other} or later" if other not in (None, own) else f"use one that knows revision {found}, or later"
    raise NewerSchema(
        f"the ledger is newer than this version ({own}, revision {HEAD}): it is at revision {found}; {use}"
    )


def revision(connection: Connection) -> str | None:
    """The revision that Alembic noted, or None in a database that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _version(connection: Connection, revision: str) -> str | None:
    """Which version of Registrar brought the schema there."""
    if not inspect(connection).has_table(schema_versions.name):
        return None
    query = select(schema_versions.c.version).where(schema_versions.c.revision == revision)
    return connection.execute(query).scalar_one_or_none()

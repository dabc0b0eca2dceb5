"""Nonces that were used, or must not be used any more: OIDC states, ended sessions."""

import hashlib
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from registrar.ledger.tables import spent


def spend(connection: Connection, value: str, *, until: datetime, at: datetime) -> bool:
    """Use a value once; return whether it was unused. until: when it expires; those expired at `at` are deleted."""
    connection.execute(delete(spent).where(spent.c.until < at))
    insert_or = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"sha256": _digest(value), "until": until}
    new = insert_or(spent).values(row).on_conflict_do_nothing().returning(spent.c.sha256)
    return connection.execute(new).first() is not None


def is_spent(connection: Connection, value: str) -> bool:
    return connection.execute(select(spent.c.until).where(spent.c.sha256 == _digest(value))).first() is not None


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()

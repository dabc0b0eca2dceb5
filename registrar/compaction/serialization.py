"""A table's row as JSON, and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from registrar.ledger.journal.append import iso
from registrar.ledger.tables import UtcDateTime


def to_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """All columns; times in ISO 8601, in UTC."""
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def from_json(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """What to_json was given: the values of an INSERT."""
    times = {column.name for column in table.columns if isinstance(column.type, UtcDateTime)}
    return {
        name: datetime.fromisoformat(value) if name in times and value is not None else value
        for name, value in row.items()
    }

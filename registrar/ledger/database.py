"""Ask the database itself: its file, its journal mode, its settings."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ArgumentError


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for another database, for one in memory, and for an invalid URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None  # Ledger says what is wrong with it
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def journal_mode(connection: Connection) -> str:
    """Return SQLite's journal mode, such as wal."""
    return str(connection.execute(text("PRAGMA journal_mode")).scalar_one())


def postgresql_settings(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    return {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in names}

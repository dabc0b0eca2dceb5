"""Insert many rows by one statement with a cached text.

SQLAlchemy takes longer to build such a statement than the rest of a commit takes, and on SQLite all other writers wait
meanwhile.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from registrar.ledger.engine import compact_json

# Rows in one statement: SQLite takes 32,766 values, and sqlite3 caches 128 statements.
MOST = 64
Row: TypeAlias = Mapping[str, Any]


class Ready(NamedTuple):
    """Statements with their values, ready to run."""

    statements: Sequence[tuple[str, tuple[Any, ...]]]

    def run(self, connection: Connection) -> int:
        """Run them. Returns the number of inserted rows."""
        return sum(connection.exec_driver_sql(*statement).rowcount for statement in self.statements)


class Insert:
    """Insert these columns of each row into a table. In the SQL texts, {name} stands for a column of the row.

    computed: more columns, by the SQL of their values. where: a condition on the rows. ending: end of the statement.
    """

    def __init__(
        self,
        table: Table,
        names: Sequence[str],
        *,
        computed: Mapping[str, str] | None = None,
        where: str = "true",
        ending: str = "",
    ) -> None:
        self._columns = [table.c[name] for name in names]
        self._computed = computed or {}
        self._head = f"INSERT INTO {table.name} ({', '.join([*names, *self._computed])})"
        self._tail = (where, ending)
        self._sqlite = cache(self._values)
        self._postgresql = self._recordset()
        own = sqlite.dialect(json_serializer=compact_json)
        self._writers = [(column.name, column.type.dialect_impl(own).bind_processor(own)) for column in self._columns]

    def ready(self, rows: Sequence[Row], dialect: str) -> Ready:
        """Prepare to insert the rows in their order. dialect: sqlite or postgresql."""
        pieces = [rows[at : at + MOST] for at in range(0, len(rows), MOST)]
        if dialect == "sqlite":
            return Ready([(self._sqlite(len(piece)), self._flat(piece)) for piece in pieces])
        return Ready([(self._postgresql, (_json.encode(piece),)) for piece in pieces])

    def _flat(self, rows: Sequence[Row]) -> tuple[Any, ...]:
        return tuple([write(row[name]) if write else row[name] for row in rows for name, write in self._writers])

    def _values(self, count: int) -> str:
        """Return the SQLite statement. With JSON, SQLite would parse each row again for each of its columns."""
        row = f"({', '.join('?' * len(self._columns))})"
        return self._statement(
            f"(VALUES {', '.join([row] * count)}) AS new",
            {column.name: f"new.column{place}" for place, column in enumerate(self._columns, 1)},
        )

    def _recordset(self) -> str:
        """Return the PostgreSQL statement. VALUES would take twice as long, each value being a parameter to psycopg."""
        own = postgresql.dialect()  # type: ignore[no-untyped-call]
        typed = ", ".join(f"{column.name} {column.type.compile(own)}" for column in self._columns)
        return self._statement(
            f"json_to_recordset(CAST(%s AS json)) AS new({typed})",
            {column.name: f"new.{column.name}" for column in self._columns},
        )

    def _statement(self, rows: str, row: Mapping[str, str]) -> str:
        picked = ", ".join([*row.values(), *(sql.format_map(row) for sql in self._computed.values())])
        where, ending = self._tail
        return f"{self._head} SELECT {picked} FROM {rows} WHERE {where.format_map(row)} {ending}"  # noqa: S608 (names of ours)


_json = json.JSONEncoder(separators=(",", ":"), default=datetime.isoformat)

"""Many rows in one statement, whose text is kept: to put one together takes SQLAlchemy longer than all else that a
commit does, while all others who write to an SQLite file wait.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

MOST = 64  # in one statement: SQLite takes 32,766 values, and Python keeps what it made of 128 texts
Row: TypeAlias = Mapping[str, Any]


class Insert:
    """Into a table: of each row these columns, and no other. computed: more columns, with the SQL of their values, in
    which {name} stands for a column of the row. ending: of the statement.
    """

    def __init__(
        self, table: Table, names: Sequence[str], *, computed: Mapping[str, str] | None = None, ending: str = ""
    ) -> None:
        self._columns = [table.c[name] for name in names]
        self._computed = computed or {}
        self._head = f"INSERT INTO {table.name} ({', '.join([*names, *self._computed])})"
        self._ending = ending
        self._values = cache(self._values_of)
        self._recordset = self._recordset_of()
        own = sqlite.dialect()
        self._writers = [(column.name, column.type.dialect_impl(own).bind_processor(own)) for column in self._columns]

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> int:
        """In their order. How many were inserted."""
        return sum(self._insert(connection, rows[at : at + MOST]) for at in range(0, len(rows), MOST))

    def _insert(self, connection: Connection, rows: Sequence[Row]) -> int:
        if connection.dialect.name == "sqlite":
            flat = [write(row[name]) if write else row[name] for row in rows for name, write in self._writers]
            return connection.exec_driver_sql(self._values(len(rows)), tuple(flat)).rowcount
        return connection.exec_driver_sql(self._recordset, (_json.encode(rows),)).rowcount

    def _values_of(self, count: int) -> str:
        """For SQLite: with JSON it would render each row anew for each of its columns."""
        width = len(self._columns)
        rows = []
        for first in range(1, count * width + 1, width):
            row = {column.name: f"?{first + place}" for place, column in enumerate(self._columns)}
            rows.append(f"({', '.join([*row.values(), *(sql.format_map(row) for sql in self._computed.values())])})")
        return f"{self._head} VALUES {', '.join(rows)} {self._ending}"

    def _recordset_of(self) -> str:
        """For PostgreSQL: with values it takes twice as long, and each of them is a parameter to psycopg."""
        own = postgresql.dialect()  # type: ignore[no-untyped-call]
        typed = ", ".join(f"{column.name} {column.type.compile(own)}" for column in self._columns)
        row = {column.name: f"new.{column.name}" for column in self._columns}
        picked = ", ".join([*row.values(), *(sql.format_map(row) for sql in self._computed.values())])
        rows = f"json_to_recordset(CAST(%s AS json)) AS new({typed})"
        return f"{self._head} SELECT {picked} FROM {rows} {self._ending}"  # noqa: S608 (names of our own)


_json = json.JSONEncoder(separators=(",", ":"), default=datetime.isoformat)

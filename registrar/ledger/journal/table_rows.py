"""Rows of the tables that the journal proves, to be compared with the rows rebuilt from it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, case, select, tuple_

from registrar.ledger import tables
from registrar.ledger.journal import entry_context
from registrar.ledger.journal.append import EntryKind, event_digest
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.journal.rebuild import COLUMNS, KEYS, Row
from registrar.ledger.tokens import fingerprint

_AT_ONCE = 500  # rows that are looked up together
_TABLES: dict[str, Table] = {
    name: tables.metadata.tables[name] for name in COLUMNS if name not in entry_context.COLUMNS
}


def rows(connection: Connection, carried: Mapping[tuple[Any, ...], int]) -> Iterator[Row]:
    """All rows of the tables, and those of entry_context.py: events that the journal names, once for each entry.

    carried: EntryOrder.carried, after a walk through the journal.
    """
    order = entry_context.EntryOrder(Counter(carried))
    for name, table in _TABLES.items():
        query = select(table).execution_options(yield_per=1000)
        if "seq" in table.c:
            query = query.order_by(table.c.seq)
        with _readable(name):
            for found in connection.execute(query).mappings():
                row = dict(found)
                yield Row(name, _compared(name, row), 0)
                yield from (Row(*placed, 0) for placed in order.place(name, row))
    with _readable("events"):
        yield from _events(connection)


def _events(connection: Connection) -> Iterator[Row]:
    """Yield events; of archived ones, what remains in the ledger, and the rest from the journal."""
    events, archived, journal = tables.events, tables.archived, tables.journal
    joined = journal.outerjoin(events, events.c.id == journal.c.event_id)
    joined = joined.outerjoin(archived, archived.c.event_id == journal.c.event_id)
    body = case((events.c.id.is_(None), journal.c.body)).label("journal_body")
    told = [journal.c[name].label(f"journal_{name}") for name in ("kind", "actor", "actor_name")]
    kept = ("event_id", "type", "source", "body_sha256")
    remains = [archived.c[name].label(f"archived_{name}") for name in kept]
    query = select(events, *told, body, *remains).select_from(joined).where(journal.c.event_id != "")
    for found in connection.execute(query.execution_options(yield_per=1000)).mappings():
        row = dict(found)
        who = {name: row[f"journal_{name}"] for name in ("actor", "actor_name")}
        if row["id"] is not None:
            # The actor of what was carried over is the row's.
            carried = {"actor": who["actor"]} if row["journal_kind"] == EntryKind.CARRIED_OVER else {}
            yield Row("events", _compared("events", row) | carried, 0)
        elif (id_ := row["archived_event_id"]) is not None:
            about = {"event_type": row["archived_type"], "source": row["archived_source"]}
            digests = {"body_sha256": row["archived_body_sha256"], "sha256": _digest(row["journal_body"])}
            yield Row("events", {"id": id_, **who, **about, **digests}, 0)


def _digest(body: str) -> str | None:
    found: str | None = json.loads(body).get("event_sha256")
    return found


class Completed:
    """Rows as the journal says them; what old entries leave unsaid is taken from the table as it is there.

    unsaid: afterwards, as of Proof.
    """

    def __init__(self, connection: Connection, said: Iterable[Row]) -> None:
        self._connection = connection
        self._said = said
        self.unsaid: dict[tuple[str, str], int] = {}

    def __iter__(self) -> Iterator[Row]:
        waiting: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._said:
            if len(row.values) == len(COLUMNS[row.table]):
                yield row
                continue
            waiting[row.table].append(row)
            if len(waiting[row.table]) == _AT_ONCE:
                yield from self._complete(row.table, waiting.pop(row.table))
        for name, left in waiting.items():
            yield from self._complete(name, left)

    def _complete(self, table: str, lacking: list[Row]) -> Iterator[Row]:
        there = _looked_up(self._connection, table, lacking)
        for row in lacking:
            found = there.get(str(row), {})
            missing = [name for name in COLUMNS[table] if name not in row.values]
            for name in missing:
                self.unsaid[table, name] = max(self.unsaid.get((table, name), 0), row.seq)
                row.values[name] = found.get(name)
            yield row


def _looked_up(connection: Connection, table: str, lacking: Iterable[Row]) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a table that have the keys of some rows."""
    source = tables.metadata.tables[table]
    columns = [source.c[name] for name in KEYS[table]]
    keys = [tuple(_value(column.type.python_type, row.values[column.name]) for column in columns) for row in lacking]
    if not keys:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for values in connection.execute(select(source).where(tuple_(*columns).in_(keys))).mappings():
        shown = _compared(table, dict(values))
        found[str(Row(table, shown, 0))] = shown
    return found


def _compared(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compared columns; of some only the digest is."""
    if table == "events":
        row = {**row, "event_type": row["type"], "sha256": event_digest(row)}
    elif table == "tokens":
        row = {**row, "fingerprint": fingerprint(row["sha256"])}
    return {name: row[name] for name in COLUMNS[table]}


def _value(kind: type, value: Any) -> Any:
    return datetime.fromisoformat(value) if kind is datetime and isinstance(value, str) else value


@contextmanager
def _readable(table: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:  # a time that is none, say
        raise Damaged(f"the table {table} can't be read: {error}") from None

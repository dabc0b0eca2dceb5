"""Rows of the tables that the journal proves, to be compared with the rows rebuilt from it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, select, tuple_

from registrar.ledger import tables
from registrar.ledger.journal import access_rows, entry_context
from registrar.ledger.journal.append import EntryKind, event_digest, event_sha256
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.journal.rebuild import COLUMNS, KEYS, Row
from registrar.ledger.tokens import fingerprint

_AT_ONCE = 500  # rows that are looked up together
_TABLES: dict[str, Table] = {
    name: tables.metadata.tables[name] for name in COLUMNS if name not in entry_context.COLUMNS
}


def rows(
    connection: Connection, carried: Mapping[tuple[Any, ...], int], entries: Iterator[Mapping[str, Any]]
) -> Iterator[Row]:
    """Yield all rows of the tables, and those of entry_context.py: events that the journal names, once for each entry.

    carried: EntryOrder.carried, after all entries were read. entries: all of them once more.
    """
    order = entry_context.EntryOrder(Counter(carried))
    for name, table in _TABLES.items():
        query = select(table).execution_options(yield_per=1000)
        if "seq" in table.c:
            query = query.order_by(table.c.seq)
        with _readable(name):
            for db_row in connection.execute(query).mappings():
                row = dict(db_row)
                yield Row(name, _compared(name, row))
                yield from (Row(*placed) for placed in order.place(name, row))
    with _readable("events"):
        yield from _events(connection, entries)


def _events(connection: Connection, entries: Iterator[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the events that entries name; of archived ones, what remains in the ledger, and the rest by the entry."""
    while batch := list(islice(entries, _AT_ONCE)):
        ids = {entry["event_id"] for entry in batch if entry["event_id"]}
        events = _by_id(connection, tables.events, "id", ids)
        archived = _by_id(connection, tables.archived, "event_id", ids - set(events))
        for entry in batch:
            author = {name: entry[name] for name in ("actor", "actor_name")}
            if (row := events.get(entry["event_id"])) is not None:
                # Entries that were carried over have the row's actor.
                carried = {"actor": author["actor"]} if entry["kind"] == EntryKind.CARRIED_OVER else {}
                yield Row("events", _compared("events", row) | carried)
            elif (left := archived.get(entry["event_id"])) is not None:
                columns = {"event_type": left["type"], "source": left["source"], "body_sha256": left["body_sha256"]}
                yield Row(
                    "events", {"id": entry["event_id"], **author, **columns, "sha256": event_sha256(entry["body"])}
                )


def _by_id(connection: Connection, table: Table, key: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    query = select(table).where(table.c[key].in_(list(ids)))
    return {row[key]: dict(row) for row in connection.execute(query).mappings()}


class Completed:
    """Rebuilt rows; columns that old entries do not have are taken from the table.

    unsaid: afterwards, as in Proof.
    """

    def __init__(self, connection: Connection, rebuilt: Iterable[Row]) -> None:
        self._connection = connection
        self._rebuilt = rebuilt
        self.unsaid: dict[tuple[str, str], int] = {}

    def __iter__(self) -> Iterator[Row]:
        incomplete: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rebuilt:
            if len(row.values) == len(COLUMNS[row.table]):
                yield row
                continue
            incomplete[row.table].append(row)
            if len(incomplete[row.table]) == _AT_ONCE:
                yield from self._complete(row.table, incomplete.pop(row.table))
        for name, left in incomplete.items():
            yield from self._complete(name, left)

    def _complete(self, table: str, incomplete: list[Row]) -> Iterator[Row]:
        stored = _look_up(self._connection, table, incomplete)
        for row in incomplete:
            values = stored.get(str(row), {})
            missing = [name for name in COLUMNS[table] if name not in row.values]
            for name in missing:
                self.unsaid[table, name] = max(self.unsaid.get((table, name), 0), row.seq)
                row.values[name] = values.get(name)
            yield row


def _look_up(connection: Connection, table: str, incomplete: Iterable[Row]) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a table that have the keys of some rows."""
    source = tables.metadata.tables[table]
    columns = [source.c[name] for name in KEYS[table]]
    keys = [tuple(row.values[name] for name in KEYS[table]) for row in incomplete]
    if not keys:
        return {}
    rows_by_key: dict[str, Mapping[str, Any]] = {}
    for values in connection.execute(select(source).where(tuple_(*columns).in_(keys))).mappings():
        row = _compared(table, dict(values))
        rows_by_key[str(Row(table, row))] = row
    return rows_by_key


def _compared(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compared columns; some are compared by their digest."""
    if table == "events":
        row = {**row, "event_type": row["type"], "sha256": event_digest(row)}
    elif table in access_rows.COLUMNS:
        row = {**row, "fingerprint": fingerprint(row["sha256"])}
    return {name: row[name] for name in COLUMNS[table]}


@contextmanager
def _readable(table: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:  # such as an invalid time
        raise Damaged(f"the table {table} can't be read: {error}") from None

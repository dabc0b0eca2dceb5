"""Rows of the tables that the journal proves, to be compared with the rows rebuilt from it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, case, select, tuple_

from registrar.ledger import tables
from registrar.ledger.journal import entry_context
from registrar.ledger.journal.append import EntryKind, event_digest, event_sha256, first_of_event
from registrar.ledger.journal.chain import Damaged
from registrar.ledger.journal.rebuild import COLUMNS, KEYS, Row
from registrar.ledger.tokens import fingerprint

_AT_ONCE = 500  # rows that are looked up together
_TABLES: dict[str, Table] = {
    name: tables.metadata.tables[name] for name in COLUMNS if name not in entry_context.COLUMNS
}


def rows(connection: Connection, carried: Mapping[tuple[Any, ...], int]) -> Iterator[Row]:
    """Yield all rows of the tables, and those of entry_context.py: events that the journal names, once for each entry.

    carried: EntryOrder.carried, after all entries were read.
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
        yield from _events(connection)


def _events(connection: Connection) -> Iterator[Row]:
    """Yield events; of archived ones, what remains in the ledger, and the rest from the journal."""
    events, archived, journal = tables.events, tables.archived, tables.journal
    joined = journal.outerjoin(events, events.c.id == journal.c.event_id)
    joined = joined.outerjoin(archived, archived.c.event_id == journal.c.event_id)
    bodies = {"journal_body": journal.c.body, "first_body": first_of_event("body", journal.c.event_id)}
    archived_bodies = [case((events.c.id.is_(None), body)).label(name) for name, body in bodies.items()]
    journal_columns = [journal.c[name].label(f"journal_{name}") for name in ("kind", "actor", "actor_name")]
    kept = ("event_id", "type", "source", "body_sha256")
    archived_columns = [archived.c[name].label(f"archived_{name}") for name in kept]
    query = select(events, *journal_columns, *archived_bodies, *archived_columns).select_from(joined)
    for db_row in connection.execute(query.execution_options(yield_per=1000)).mappings():
        row = dict(db_row)
        author = {name: row[f"journal_{name}"] for name in ("actor", "actor_name")}
        if row["id"] is not None:
            # Entries that were carried over have the row's actor.
            carried = {"actor": author["actor"]} if row["journal_kind"] == EntryKind.CARRIED_OVER else {}
            yield Row("events", _compared("events", row) | carried)
        elif (id_ := row["archived_event_id"]) is not None:
            event_columns = {"event_type": row["archived_type"], "source": row["archived_source"]}
            digest = event_sha256(row["journal_body"]) or event_sha256(row["first_body"])
            digests = {"body_sha256": row["archived_body_sha256"], "sha256": digest}
            yield Row("events", {"id": id_, **author, **event_columns, **digests})


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
    elif table == "tokens":
        row = {**row, "fingerprint": fingerprint(row["sha256"])}
    return {name: row[name] for name in COLUMNS[table]}


@contextmanager
def _readable(table: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:  # such as an invalid time
        raise Damaged(f"the table {table} can't be read: {error}") from None

"""The rows that compaction moves into files, as lines of JSON: read, serialize, parse and delete them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, Table, delete, exists, insert, not_, select, update

from registrar.ledger.journal.append import STAYS, iso, lock_chain
from registrar.ledger.journal.stored import restore, select_entries
from registrar.ledger.queries import event_status
from registrar.ledger.queries.incidents import IS_INCIDENT
from registrar.ledger.tables import UtcDateTime, archived, archives, events, journal, rejections, tasks
from registrar.ledger.tasks import FORMER_NAMES

# {"event": row, "tasks": rows in order}, {"rejection": row}, or a journal entry as `registrar audit export` writes it.
Line: TypeAlias = dict[str, Any]
_FORMER_COLUMNS = {"ring_at": "dispatch_at"}  # of tasks, before schema 0016
# The columns by which a delivery is recognized when it is sent again.
_KEPT_OF_A_DELIVERY = ("source", "delivery_id", "position", "body_sha256", "type")


def to_json(row: RowMapping) -> dict[str, Any]:
    """Return all columns of a row, times in ISO 8601 and UTC."""
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def from_json(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Reverse to_json: the values of an INSERT, also of a row that was written by an older schema."""
    times = {column.name for column in table.columns if isinstance(column.type, UtcDateTime)}
    if table is tasks:
        row = _renamed(row)
    return {
        name: datetime.fromisoformat(value) if name in times and value is not None else value
        for name, value in row.items()
    }


def parse_line(text: str) -> Line:
    """Parse a line of a file; columns and tasks that were renamed since it was written have their present names."""
    line: Line = json.loads(text)
    if "event" in line:
        line["event"].setdefault("archive_seq", None)  # since schema 0018
        line["tasks"] = [_renamed(task) for task in line["tasks"]]
    return line


def _renamed(task: Mapping[str, Any]) -> dict[str, Any]:
    columns = {_FORMER_COLUMNS.get(column, column): value for column, value in task.items()}
    return {**columns, "name": FORMER_NAMES.get(columns["name"], columns["name"])}


def event_lines(connection: Connection, ids: Sequence[str], *, lock: bool = False) -> dict[str, Line]:
    """Return the lines of events by id. lock: lock the rows for the transaction."""
    event_rows = select(events).where(events.c.id.in_(ids)).order_by(events.c.seq)
    task_rows = select(tasks).where(tasks.c.event_id.in_(ids)).order_by(tasks.c.seq)
    if lock:
        event_rows, task_rows = event_rows.with_for_update(), task_rows.with_for_update()
    rows = connection.execute(event_rows).mappings().all()
    tasks_by_event: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for task in connection.execute(task_rows).mappings():
        tasks_by_event[task["event_id"]].append(to_json(task))
    return {row["id"]: {"event": to_json(row), "tasks": tasks_by_event[row["id"]]} for row in rows}


def event_id(line: Line) -> str:
    return str(line["event"]["id"])


def delete_events(connection: Connection, lines: Sequence[Line], archive_seq: int) -> None:
    """Delete events and tasks, and keep in `archived` the columns that recognize their deliveries."""
    ids = [event_id(line) for line in lines]
    kept = [
        {
            "event_id": event_id(line),
            "archive_seq": archive_seq,
            **{name: line["event"][name] for name in _KEPT_OF_A_DELIVERY},
        }
        for line in lines
    ]
    connection.execute(insert(archived), kept)
    connection.execute(delete(tasks).where(tasks.c.event_id.in_(ids)))
    connection.execute(delete(events).where(events.c.id.in_(ids)))


def delete_tasks(connection: Connection, lines: Sequence[Line], archive_seq: int) -> None:
    """Delete the tasks of events, and note with the events, which stay, where they are."""
    ids = [event_id(line) for line in lines]
    connection.execute(delete(tasks).where(tasks.c.event_id.in_(ids)))
    connection.execute(update(events).where(events.c.id.in_(ids)).values(archive_seq=archive_seq))


def is_moved(line: Line, archive_seq: int) -> bool:
    """Return whether a row in the ledger is an event whose tasks an archive already has, so that they are gone."""
    return "event" in line and line["event"]["archive_seq"] == archive_seq


def describe_event(connection: Connection, line: Line) -> dict[str, Any]:
    """Return an archived event as event_status.event would return it."""
    task_rows = [from_json(tasks, task) for task in line["tasks"]]
    return event_status.described(connection, from_json(events, line["event"]), task_rows)


def rejection_lines(connection: Connection, seqs: Sequence[int], *, lock: bool = False) -> dict[int, Line]:
    """Return the lines of rejections by seq. lock: lock the rows for the transaction."""
    query = select(rejections).where(rejections.c.seq.in_(seqs)).order_by(rejections.c.seq)
    rows = connection.execute(query.with_for_update() if lock else query).mappings()
    return {row["seq"]: {"rejection": to_json(row)} for row in rows}


def rejection_seq(line: Line) -> int:
    return int(line["rejection"]["seq"])


def delete_rejections(connection: Connection, lines: Sequence[Line], _archive_seq: int) -> None:
    connection.execute(delete(rejections).where(rejections.c.seq.in_([rejection_seq(line) for line in lines])))


def journal_lines(connection: Connection, seqs: Sequence[int], *, lock: bool = False) -> dict[int, Line]:
    """Return journal entries by seq. lock: as above, though no entry ever changes."""
    query = select_entries().where(journal.c.seq.in_(seqs)).order_by(journal.c.seq)
    entries = [restore(row) for row in connection.execute(query.with_for_update(of=journal) if lock else query)]
    return {entry["seq"]: entry for entry in entries}


def journal_seq(line: Line) -> int:
    return int(line["seq"])


def journal_end(line: Line) -> dict[str, Any]:
    return {"until_seq": line["seq"], "until_hash": line["hash"]}


def same_entry(present: Line | None, line: Line) -> bool:
    """Return whether an entry is still there. Its hash covers all that it says."""
    return present is not None and present["hash"] == line["hash"]


def delete_entries(connection: Connection, lines: Sequence[Line], archive_seq: int) -> None:
    """Delete journal entries, but those that are looked up for ever: they are in the file and in the ledger.

    Incidents are among these, as the history of a model lists them; and entries of events that have younger ones beyond
    the file, as these are read together.
    """
    lock_chain(connection)  # an entry that is appended meanwhile may leave to an older one what both say
    until = select(archives.c.until_seq).where(archives.c.seq == archive_seq).scalar_subquery()
    younger = journal.alias("younger")
    has_younger = exists().where(
        younger.c.event_id == journal.c.event_id, younger.c.event_id != "", younger.c.seq > until
    )
    seqs = journal.c.seq.in_([journal_seq(line) for line in lines])
    may_go = (journal.c.kind.not_in(STAYS), not_(IS_INCIDENT), not_(has_younger))
    connection.execute(delete(journal).where(seqs, *may_go))

"""Choose events to archive, with their tasks, and say why others stay."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from registrar.compaction.archive_file import to_json
from registrar.compaction.scan import Candidate, Kind, Line, Scan
from registrar.ledger.dead_letters import ABOUT, STATES
from registrar.ledger.pending_gate_requests import REQUEST
from registrar.ledger.promotions import is_open
from registrar.ledger.tables import (
    archived,
    deployments,
    events,
    holders,
    incarnations,
    journal,
    promotions,
    tasks,
    version_states,
    votes,
)

_AT_ONCE = 500
_REFERRING = (
    holders.c.event_id,
    holders.c.until_event_id,
    promotions.c.event_id,
    votes.c.event_id,
    deployments.c.event_id,
    deployments.c.ended_by,
    version_states.c.event_id,
    incarnations.c.event_id,
    journal.c.event_id,
)
HISTORY = "the history, promotions, votes, deployments or the journal tell of it"
OPEN = "not done yet, or not for so long"
FAILED = "`registrar dead list` lists it"
ASKED = "waits for the end of a promotion"
_KEPT_OF_A_DELIVERY = ("source", "delivery_id", "position", "body_sha256", "type")


def scan(connection: Connection, after: int, cutoff: datetime) -> Scan:
    """Scan in the order of acceptance. Ends at a batch that is all too young; clocks differ by less than that."""
    names = ("seq", "id", "accepted_at", "type", "model", "reply_to")
    query = select(*(events.c[name] for name in names)).where(events.c.seq > after)
    found = connection.execute(query.order_by(events.c.seq).limit(_AT_ONCE)).all()
    old = [row for row in found if row.accepted_at < cutoff]
    count, why = _reasons_to_keep(connection, old, cutoff)
    chosen = [Candidate(row.id, row.accepted_at, count[row.id]) for row in old if row.id not in why]
    return Scan(chosen, found[-1].seq if old else None, Counter(why.values()))


def _reasons_to_keep(
    connection: Connection, old: Sequence[Row[Any]], cutoff: datetime
) -> tuple[Counter[str], dict[str, str]]:
    """Return the number of tasks by event id, and the reasons for which events stay, by event id."""
    ids = [row.id for row in old]
    why = dict.fromkeys(_load_waiting_requests(connection, old), ASKED) | dict.fromkeys(
        _referred_to(connection, ids), HISTORY
    )
    count: Counter[str] = Counter()
    columns = (tasks.c.event_id, tasks.c.name, tasks.c.state, tasks.c.finished_at)
    for task in connection.execute(select(*columns).where(tasks.c.event_id.in_(ids))):
        count[task.event_id] += 1
        if task.state in STATES and task.name not in ABOUT:
            why[task.event_id] = FAILED
        elif task.finished_at is None or task.finished_at >= cutoff:
            why[task.event_id] = OPEN
    return count, why


def _referred_to(connection: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for column in _REFERRING:
        found.update(connection.execute(select(column).where(column.in_(ids))).scalars())
    return found


def _load_waiting_requests(connection: Connection, old: Iterable[Row[Any]]) -> Iterable[str]:
    """Return the ids of requests that wait for the end of an open promotion (pending_gate_requests.py)."""
    waiting = [row for row in old if row.type == REQUEST and row.reply_to is not None]
    if not waiting:
        return ()
    models = set(connection.execute(select(promotions.c.model).where(is_open())).scalars())
    return [row.id for row in waiting if row.model in models]


def lines(connection: Connection, ids: Sequence[str], *, lock: bool = False) -> dict[str, Line]:
    """Return {"event": row, "tasks": rows in order} by event id. lock: lock the rows for the transaction."""
    event_rows = select(events).where(events.c.id.in_(ids)).order_by(events.c.seq)
    task_rows = select(tasks).where(tasks.c.event_id.in_(ids)).order_by(tasks.c.seq)
    if lock:
        event_rows, task_rows = event_rows.with_for_update(), task_rows.with_for_update()
    found = connection.execute(event_rows).mappings().all()
    of: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for task in connection.execute(task_rows).mappings():
        of[task["event_id"]].append(to_json(dict(task)))
    return {row["id"]: {"event": to_json(dict(row)), "tasks": of[row["id"]]} for row in found}


def _key(line: Line) -> str:
    return str(line["event"]["id"])


def _delete(connection: Connection, gone: Sequence[Line], archive_seq: int) -> None:
    """Delete events and tasks, and keep in `archived` what identifies their deliveries when they come again."""
    ids = [_key(line) for line in gone]
    remains = [
        {
            "event_id": _key(line),
            "archive_seq": archive_seq,
            **{name: line["event"][name] for name in _KEPT_OF_A_DELIVERY},
        }
        for line in gone
    ]
    connection.execute(insert(archived), remains)
    connection.execute(delete(tasks).where(tasks.c.event_id.in_(ids)))
    connection.execute(delete(events).where(events.c.id.in_(ids)))


EVENTS = Kind("events", scan, lines, _key, _delete)

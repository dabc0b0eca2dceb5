"""Read the journal: whole entries, and entries from a number on with the times of their events."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, literal_column, select

from registrar.events.types import TrainingRunFinished
from registrar.ledger.journal.stored import restore, select_entries
from registrar.ledger.queries.time_bisect import TimeBisect
from registrar.ledger.tables import events, journal, tasks

_REGISTER: ColumnElement[str] = literal_column(f"'{TrainingRunFinished.task}'")


@dataclass(frozen=True)
class StreamedEntry:
    """An entry. said: its fields; {} where its body is damaged.

    occurred_at, accepted_at: times of its event. registered_at: when the event's run was registered.
    """

    seq: int
    hash: str
    at: datetime
    kind: str
    model: str | None
    version: int | None
    event_id: str
    event_type: str
    occurred_at: datetime | None
    accepted_at: datetime | None
    registered_at: datetime | None
    said: Mapping[str, Any]


def after(connection: Connection, seq: int, *, limit: int, detailed: Collection[str]) -> Sequence[StreamedEntry]:
    """Return the entries after number `seq`, in order.

    detailed: the kinds of entries that come with their fields and the times of their events.
    """
    is_detailed = journal.c.kind.in_(detailed)
    registered = and_(tasks.c.event_id == events.c.id, tasks.c.name == _REGISTER)
    with_event = journal.outerjoin(events, and_(is_detailed, events.c.id == journal.c.event_id))
    columns: list[ColumnElement[Any]] = [
        *(journal.c[name] for name in ("seq", "hash", "at", "kind", "model", "version", "event_id", "event_type")),
        *(events.c.occurred_at, events.c.accepted_at, tasks.c.finished_at),
        case((is_detailed, journal.c.body)),
    ]
    query = select(*columns).select_from(with_event.outerjoin(tasks, registered))
    rows = connection.execute(query.where(journal.c.seq > seq).order_by(journal.c.seq).limit(limit)).all()
    return [StreamedEntry(*(*row[:-1], _fields(row[-1]))) for row in rows]


def _fields(body: str | None) -> Mapping[str, Any]:
    """Return the fields of a body. A damaged one has none here: `audit verify` says so, and nothing else stops."""
    if body is None:
        return {}
    try:
        fields = json.loads(body)["said"]
    except (ValueError, LookupError, TypeError):
        return {}
    return fields if isinstance(fields, dict) else {}


def entries(
    connection: Connection,
    *,
    model: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield whole entries, `at` as text, oldest first: in [since, until), their seq above `after`. Unverified."""
    within = TimeBisect(since, until, after=after).where(connection, journal.c.seq, journal.c.at)
    query = select_entries().where(*within).order_by(journal.c.seq).limit(limit)
    if model is not None:
        query = query.where(journal.c.model == model)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield restore(row)

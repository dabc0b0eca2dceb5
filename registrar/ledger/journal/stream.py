"""Read the journal: whole entries, and entries from a number on with the times of their events."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, literal_column, select

from registrar.events.types import TrainingRunFinished
from registrar.ledger.journal.stored import restore, select_entries
from registrar.ledger.queries.time_bisect import TimeBisect
from registrar.ledger.tables import events, journal, tasks

_REGISTER: ColumnElement[str] = literal_column(f"'{TrainingRunFinished.task}'")


@dataclass(frozen=True)
class StreamedEntry:
    """An entry. occurred_at, accepted_at: times of its event. registered_at: when the event's run was registered."""

    seq: int
    at: datetime
    kind: str
    model: str | None
    version: int | None
    event_id: str
    event_type: str
    said: Mapping[str, Any]
    occurred_at: datetime | None
    accepted_at: datetime | None
    registered_at: datetime | None


def after(connection: Connection, seq: int, *, limit: int) -> Sequence[StreamedEntry]:
    """Return the entries after number `seq`, in order."""
    registered = and_(tasks.c.event_id == journal.c.event_id, tasks.c.name == _REGISTER)
    joined = journal.outerjoin(events, events.c.id == journal.c.event_id).outerjoin(tasks, registered)
    own = [journal.c[name] for name in ("seq", "at", "kind", "model", "version", "event_id", "event_type", "body")]
    query = select(*own, events.c.occurred_at, events.c.accepted_at, tasks.c.finished_at).select_from(joined)
    rows = connection.execute(query.where(journal.c.seq > seq).order_by(journal.c.seq).limit(limit)).all()
    return [StreamedEntry(*row[:7], json.loads(row.body)["said"], *row[8:]) for row in rows]


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

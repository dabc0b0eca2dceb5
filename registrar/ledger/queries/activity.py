"""Recent activity: the facts of the newest events' tasks, and counts of events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, literal_column, select

from registrar.events.states import TaskState
from registrar.ledger.predicates import is_open
from registrar.ledger.tables import events, journal, rejections, tasks

LOOKED_AT = 60  # events
_REFUSED = 1000
COUNTED = 10_000  # at most; pages show larger counts as 10,000+


@dataclass(frozen=True)
class ActivityItem:
    """A fact. text: its sentence. promotion, target: those that it names."""

    at: datetime
    type: str
    text: str
    model: str | None
    version: int | None
    event_id: str
    actor_name: str
    promotion: str | None = None
    target: str | None = None


def lately(connection: Connection, *, since: datetime, limit: int = 20) -> list[ActivityItem]:
    """Return the facts of the newest LOOKED_AT events, newest first."""
    newest = select(events.c.id, events.c.actor_name).order_by(events.c.seq.desc()).limit(LOOKED_AT)
    names = {row.id: row.actor_name for row in connection.execute(newest)}
    columns = (tasks.c.event_id, tasks.c.seq, tasks.c.outcome, tasks.c.finished_at)
    query = select(*columns).where(tasks.c.event_id.in_(names), tasks.c.finished_at.is_not(None))
    rows = connection.execute(query).all() if names else []
    rows = sorted((row for row in rows if row.finished_at >= since), key=lambda row: (row.finished_at, row.seq))
    items = [told for row in reversed(rows) for told in _facts(row, names[row.event_id])]
    return items[:limit]


def _facts(row: Any, actor_name: str) -> Iterator[ActivityItem]:
    for fact in reversed((row.outcome or {}).get("facts") or []):
        about, details = (fact.get("model"), fact.get("version")), fact.get("details") or {}
        named = (details.get("promotion"), details.get("target") or details.get("stage"))
        yield ActivityItem(row.finished_at, fact["type"], fact["text"], *about, row.event_id, actor_name, *named)


def accepted_since(connection: Connection, since: datetime) -> int:
    """Count the events accepted since a time, COUNTED at most."""
    newest = select(events.c.accepted_at).order_by(events.c.seq.desc()).limit(COUNTED).subquery()
    counted = select(func.count()).select_from(newest).where(newest.c.accepted_at >= since)
    return int(connection.execute(counted).scalar_one())


def refused_since(connection: Connection, since: datetime) -> int:
    counted = select(func.count()).select_from(rejections).where(rejections.c.at >= since)
    return int(connection.execute(counted).scalar_one())


def refused_tasks_since(connection: Connection, since: datetime) -> int:
    """Count the refused tasks, such as commands that the policy does not allow, among the newest _REFUSED."""
    refused = tasks.c.state == literal_column(f"'{TaskState.REFUSED}'")  # as ix_tasks_refused has it
    newest = select(tasks.c.finished_at).where(refused).order_by(tasks.c.event_seq.desc()).limit(_REFUSED).subquery()
    counted = select(func.count()).select_from(newest).where(newest.c.finished_at >= since)
    return int(connection.execute(counted).scalar_one())


def change_counters(connection: Connection) -> Sequence[int]:
    """Return numbers, at least one of which changes with nearly every change that pages show."""
    open_tasks = select(func.count(literal_column("1"))).select_from(tasks).where(is_open())
    queries = [_newest(table.c.seq) for table in (events, tasks, journal, rejections)]
    return [int(connection.execute(query).scalar() or 0) for query in (*queries, open_tasks)]


def _newest(seq: Any) -> Select[Any]:
    return select(seq).order_by(seq.desc()).limit(1)

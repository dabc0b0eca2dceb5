"""The queue: open tasks, lane by lane, each with what it waits for."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select, tuple_

from registrar.events.states import TaskState
from registrar.ledger import promotions
from registrar.ledger.dead_letters import ABOUT
from registrar.ledger.predicates import QUEUED, RUNNING, first_of_lane, is_failed, is_open, place
from registrar.ledger.tables import events, tasks
from registrar.ledger.tables import promotions as requests


def unfinished(connection: Connection) -> dict[str, int]:
    """Count open tasks by source; only sources that have any."""
    joined = tasks.join(events, tasks.c.event_seq == events.c.seq)
    query = select(events.c.source, func.count()).select_from(joined).where(is_open()).group_by(events.c.source)
    return {row[0]: row[1] for row in connection.execute(query.order_by(events.c.source))}


def overview(connection: Connection) -> dict[str, Any]:
    """Return the counts of the overview. oldest: when the oldest open task was created."""
    by_state = select(requests.c.state, func.count()).where(promotions.is_open()).group_by(requests.c.state)
    failed = select(func.count()).select_from(tasks).where(is_failed(), tasks.c.name.not_in(ABOUT))
    promotion_counts = {row[0]: row[1] for row in connection.execute(by_state)}
    return {
        "unfinished": unfinished(connection),
        "oldest": connection.execute(select(func.min(tasks.c.created_at)).where(is_open())).scalar_one(),
        "promotions": {state: promotion_counts.get(state, 0) for state in promotions.OPEN},
        "dead": connection.execute(failed).scalar_one(),
    }


def first_in_line(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of the tasks that are the first queued task of their lane; others are published after it.

    Includes tasks behind a running one, as its worker may already have looked for the next task.
    """
    first = tasks.alias("first")
    is_first = tasks.c.seq == first_of_lane(first, and_(is_open(first), first.c.state == QUEUED))
    query = select(tasks.c.id).where(tasks.c.id.in_(ids), tasks.c.state == QUEUED, is_first)
    return set(connection.execute(query).scalars())


def has_begun_task(connection: Connection, model: str) -> bool:
    """Return whether an open task of a model's lane is running, or was begun and is tried again."""
    begun = or_(tasks.c.state == RUNNING, tasks.c.attempts > 0)
    query = select(tasks.c.seq).where(tasks.c.lane == f"model:{model}", is_open(), begun).limit(1)
    return connection.execute(query).first() is not None


_TASK = ("id", "name", "state", "lane", "attempts", "error", "not_before", "created_at", "event_id", "seq")
_EVENT = ("model", "actor", "actor_name", "source")


def waiting(
    connection: Connection, *, at: datetime, model: str | None = None, after: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Return open tasks in the order of their lanes, JSON-able except datetimes. why: what each waits for, for people.

    after: the seq of the last task of the page before.
    """
    query = _query().where(is_open())
    if model is not None:
        query = query.where(func.coalesce(events.c.model, "") == model)
    if after is not None:
        last = tasks.alias("last")
        last_position = select(last.c.lane, *place(last)).where(last.c.seq == after).scalar_subquery()
        query = query.where(tuple_(tasks.c.lane, *place()) > last_position)
    rows = connection.execute(query.order_by(tasks.c.lane, *place()).limit(limit)).all()
    ahead = _ahead(connection, {row.lane for row in rows})
    return [{**row._mapping, "why": _why(row, ahead[row.lane], at)} for row in rows]


def _query() -> Select[Any]:
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    columns = [tasks.c[name] for name in _TASK] + [events.c[name] for name in _EVENT]
    return select(*columns, events.c.type.label("event_type")).select_from(joined)


def _ahead(connection: Connection, lanes: set[str]) -> dict[str, Any]:
    """Return the task that each lane waits for: the running one, else the first."""
    ahead: dict[str, Any] = {}
    columns = (tasks.c.id, tasks.c.name, tasks.c.state, tasks.c.lane)
    for lane in lanes:
        in_order = select(*columns).where(tasks.c.lane == lane, is_open())
        first = in_order.order_by((tasks.c.state == RUNNING).desc(), *place()).limit(1)
        ahead[lane] = connection.execute(first).one()
    return ahead


def _why(row: Any, ahead: Any, at: datetime) -> str:
    if row.state == TaskState.RUNNING:
        return f"a worker is at it, attempt {row.attempts}"
    if ahead.id != row.id:
        doing = "runs" if ahead.state == TaskState.RUNNING else "waits itself"
        return f"behind {ahead.id} ({ahead.name.removeprefix('worker.')}), which {doing}"
    if row.not_before > at:
        failed = f", after attempt {row.attempts} failed: {row.error}" if row.attempts else ""
        return f"until {row.not_before:%H:%M:%S} UTC{failed}"
    return "for a worker"

"""What stands in the lanes: what a worker is at, what waits, and for what; lane by lane, in the order of its turns."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, tuple_

from registrar.ledger.predicates import RUNNING, is_open, place
from registrar.ledger.tables import events, tasks

_TASK = ("id", "name", "state", "lane", "attempts", "error", "not_before", "created_at", "event_id", "seq")
_EVENT = ("model", "actor", "actor_name", "source")


def waiting(
    connection: Connection, *, at: datetime, model: str | None = None, after: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Tasks that are queued or running, JSON-able but for the datetimes. why: what each waits for, for people.

    after: the seq of the last one seen.
    """
    query = _query().where(is_open())
    if model is not None:
        query = query.where(func.coalesce(events.c.model, "") == model)
    if after is not None:
        last = tasks.alias("last")
        seen = select(last.c.lane, *place(last)).where(last.c.seq == after).scalar_subquery()
        query = query.where(tuple_(tasks.c.lane, *place()) > seen)
    found = connection.execute(query.order_by(tasks.c.lane, *place()).limit(limit)).all()
    ahead = _ahead(connection, {row.lane for row in found})
    return [{**row._mapping, "why": _why(row, ahead[row.lane], at)} for row in found]


def _query() -> Select[Any]:
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    columns = [tasks.c[name] for name in _TASK] + [events.c[name] for name in _EVENT]
    return select(*columns, events.c.type.label("event_type")).select_from(joined)


def _ahead(connection: Connection, lanes: set[str]) -> dict[str, Any]:
    """In whose way the rest of each lane is: the one that is running, else the first."""
    found: dict[str, Any] = {}
    columns = (tasks.c.id, tasks.c.name, tasks.c.state, tasks.c.lane)
    for lane in lanes:
        in_order = select(*columns).where(tasks.c.lane == lane, is_open())
        first = in_order.order_by((tasks.c.state == RUNNING).desc(), *place()).limit(1)
        found[lane] = connection.execute(first).one()
    return found


def _why(row: Any, ahead: Any, at: datetime) -> str:
    if row.state == "running":
        return f"a worker is at it, attempt {row.attempts}"
    if ahead.id != row.id:
        doing = "runs" if ahead.state == "running" else "waits itself"
        return f"behind {ahead.id} ({ahead.name.removeprefix('worker.')}), which {doing}"
    if row.not_before > at:
        failed = f", after attempt {row.attempts} failed: {row.error}" if row.attempts else ""
        return f"until {row.not_before:%H:%M:%S} UTC{failed}"
    return "for a worker"

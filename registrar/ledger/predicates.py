"""SQL conditions on tasks. Those on time take the parameters of `as_of`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, exists, literal_column, or_, select

from registrar.events.states import TaskState
from registrar.ledger.tables import tasks

# No time is set further ahead than this; one that is comes from a clock that was put back since, and counts as due.
FURTHEST = timedelta(seconds=120)
# Literals in the SQL: with states as parameters SQLite can't match the partial indexes, and reads the whole table.
QUEUED: ColumnElement[str] = literal_column(f"'{TaskState.QUEUED}'")
RUNNING: ColumnElement[str] = literal_column(f"'{TaskState.RUNNING}'")
FAILED: ColumnElement[str] = literal_column(f"'{TaskState.FAILED}'")
DEAD: ColumnElement[str] = literal_column(f"'{TaskState.DEAD}'")


def is_open(table: FromClause = tasks) -> Any:
    """Match queued and running tasks, as the index ix_tasks_open has them."""
    return table.c.state.in_((QUEUED, RUNNING))


def is_failed() -> Any:
    """Match failed and dead tasks, as the index ix_tasks_failed has them."""
    return tasks.c.state.in_((FAILED, DEAD))


def is_due(time: Any, *, now: str = "at", furthest: str = "furthest") -> Any:
    """Match where a time has come. now, furthest: the names of the parameters."""
    return or_(time <= bindparam(now), time > bindparam(furthest))


def as_of(time: datetime) -> dict[str, datetime]:
    """Return the parameters of is_due."""
    return {"at": time, "furthest": time + FURTHEST}


def place(table: FromClause = tasks) -> tuple[Any, Any, Any]:
    """Return the columns that order a lane: rank, then acceptance."""
    return table.c.rank, table.c.event_seq, table.c.seq


def is_blocked() -> Any:
    """Match tasks that are not first in their lane, or whose lane has a running task."""
    first, other = tasks.alias("first"), tasks.alias("other")
    return or_(
        exists().where(other.c.lane == tasks.c.lane, other.c.state == RUNNING, other.c.id != tasks.c.id),
        tasks.c.seq != first_of_lane(first, is_open(first)),
    )


def first_of_lane(first: Any, which: Any) -> Any:
    """Return a subquery: the seq of the first match in a task's lane. One index step, however long the lane is."""
    of_it = select(first.c.seq).where(first.c.lane == tasks.c.lane, which).order_by(*place(first)).limit(1)
    return of_it.correlate(tasks).scalar_subquery()


def is_held() -> Any:
    """Match the task `task_id` while its lease is `held_by`."""
    return and_(tasks.c.id == bindparam("task_id"), tasks.c.lease == bindparam("held_by"), tasks.c.state == RUNNING)


def is_first_of(lanes: Sequence[Any]) -> ColumnElement[bool]:
    """Match the first open task of each of these lanes: one index step per lane, however long the lane."""
    first = tasks.alias("first")
    in_order = select(first.c.seq).where(is_open(first)).order_by(*place(first)).limit(1)
    return tasks.c.seq.in_([in_order.where(first.c.lane == lane).scalar_subquery() for lane in lanes])

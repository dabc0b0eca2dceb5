"""Of which tasks something is said, in SQL. What is due takes the parameters of `as_of`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, exists, literal_column, or_, select

from registrar.ledger.tables import tasks

FURTHEST = timedelta(seconds=120)  # no time here is set further ahead: one that is comes from a clock that was put back
# Written out in the SQL: with states as parameters SQLite can't know that the partial indexes of tables.py fit, and
# reads all tasks that ever were, for each one it looks at.
QUEUED: ColumnElement[str] = literal_column("'queued'")
RUNNING: ColumnElement[str] = literal_column("'running'")
FAILED: ColumnElement[str] = literal_column("'failed'")
DEAD: ColumnElement[str] = literal_column("'dead'")


def is_open(table: FromClause = tasks) -> Any:
    """It is queued or running, as the index ix_tasks_open has it."""
    return table.c.state.in_((QUEUED, RUNNING))


def is_failed() -> Any:
    """It failed for good or is dead, as the index ix_tasks_failed has it."""
    return tasks.c.state.in_((FAILED, DEAD))


def is_due(time: Any, *, now: str = "at", furthest: str = "furthest") -> Any:
    """That time has come. now, furthest: the parameters' names."""
    return or_(time <= bindparam(now), time > bindparam(furthest))


def as_of(time: datetime) -> dict[str, datetime]:
    """The parameters of what is due."""
    return {"at": time, "furthest": time + FURTHEST}


def place(table: FromClause = tasks) -> tuple[Any, Any, Any]:
    """Where a task stands in its lane: by its rank, then in the order of acceptance."""
    return table.c.rank, table.c.event_seq, table.c.seq


def is_blocked() -> Any:
    """Something before it in its lane is unfinished, or anything in its lane is running."""
    first, other = tasks.alias("first"), tasks.alias("other")
    return or_(
        exists().where(other.c.lane == tasks.c.lane, other.c.state == RUNNING, other.c.id != tasks.c.id),
        tasks.c.seq != first_of_lane(first, is_open(first)),
    )


def first_of_lane(first: Any, which: Any) -> Any:
    """The seq of the first of these in the lane of the row of tasks: a step into an index, however long the lane is."""
    of_it = select(first.c.seq).where(first.c.lane == tasks.c.lane, which).order_by(*place(first)).limit(1)
    return of_it.correlate(tasks).scalar_subquery()


def is_held() -> Any:
    """It is `task_id`, and still ours: `held_by` is the lease by which it was claimed."""
    return and_(tasks.c.id == bindparam("task_id"), tasks.c.lease == bindparam("held_by"), tasks.c.state == RUNNING)


def is_first_of(lanes: Sequence[Any]) -> ColumnElement[bool]:
    """It is the first open task of one of these lanes: to find it takes a step into an index for each, however many
    wait behind it.
    """
    first = tasks.alias("first")
    in_order = select(first.c.seq).where(is_open(first)).order_by(*place(first)).limit(1)
    return tasks.c.seq.in_([in_order.where(first.c.lane == lane).scalar_subquery() for lane in lanes])

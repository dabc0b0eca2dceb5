"""The life of a task: queued, running under a lease, then succeeded, failed or dead; in the order of its lane."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from registrar.ledger.tables import events, tasks
from registrar.outcome import Cause, FollowUp, Outcome
from registrar.queue import Bell

LEASE_SECONDS = 15  # longer than any single call to MLflow (10 s); renewed right before each write
RING_AGAIN = 10  # seconds after which the sweep takes a bell for lost
FURTHEST = timedelta(seconds=120)  # no time here is set further ahead: one that is comes from a clock that was put back
MAX_CRASHES = 5  # a task that took its worker down so often is not begun again: whoever claims it gives it up
# Written out in the SQL: with states as parameters SQLite can't know that the partial indexes of tables.py fit, and
# reads all tasks that ever were, for each one it looks at.
QUEUED: ColumnElement[str] = literal_column("'queued'")
RUNNING: ColumnElement[str] = literal_column("'running'")
FAILED: ColumnElement[str] = literal_column("'failed'")
DEAD: ColumnElement[str] = literal_column("'dead'")


class LeaseLost(RuntimeError):
    """Another worker has the task now: whatever this one still meant to do, it must not."""


@dataclass(frozen=True)
class Task:
    """A claimed task with its event. lease: the token that every write about it must show."""

    id: str
    name: str
    lane: str
    args: dict[str, Any]
    attempts: int
    crashes: int
    started_at: datetime
    lease: str
    event_id: str
    event_seq: int
    event_type: str
    data: dict[str, Any]
    actor: str
    actor_name: str
    source: str
    accepted_at: datetime
    reply_to: str | None

    def cause(self, at: datetime) -> Cause:
        return Cause(self.event_id, self.actor, self.actor_name, at)


def claim(connection: Connection, task_id: str, *, at: datetime) -> Task | None:
    """Start a task, if it is due and nothing before it in its lane is unfinished; else None."""
    lease = uuid.uuid4().hex
    mine = and_(tasks.c.id == task_id, tasks.c.state == QUEUED, _due(tasks.c.not_before, at), ~_blocked())
    start = {
        "state": "running",
        "attempts": tasks.c.attempts + 1,
        "lease": lease,
        "lease_until": at + timedelta(seconds=LEASE_SECONDS),
        "started_at": func.coalesce(tasks.c.started_at, at),  # of the first attempt
    }
    try:
        with connection.begin_nested():
            if connection.execute(update(tasks).where(mine).values(start)).rowcount == 0:
                return None
    except IntegrityError:  # uq_tasks_running: on PostgreSQL, another of this lane started in the same moment
        return None
    joined = select(tasks, events).join(events, tasks.c.event_id == events.c.id).where(tasks.c.id == task_id)
    return _task(connection.execute(joined.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)).one())


def renew(connection: Connection, task: Task, *, at: datetime) -> None:
    """Extend the lease, right before a write to the registry. Raises LeaseLost."""
    until = {"lease_until": at + timedelta(seconds=LEASE_SECONDS)}
    if connection.execute(update(tasks).where(_held(task)).values(until)).rowcount == 0:
        raise LeaseLost(task.id)


def finish(
    connection: Connection, task: Task, state: str, outcome: Outcome, *, error: str | None = None, at: datetime
) -> list[Bell]:
    """End a task as succeeded, failed or dead, with all that its outcome asks for. Raises LeaseLost.

    Returns the bells to ring after the commit.
    """
    end = {
        "state": state,
        "outcome": outcome.to_json(),
        "error": error,
        "finished_at": at,
        "lease": None,
        "lease_until": None,
    }
    if connection.execute(update(tasks).where(_held(task)).values(end)).rowcount == 0:
        raise LeaseLost(task.id)
    woken = [lane for record in outcome.records for lane in record.apply(connection, task.cause(at)) or ()]
    lanes = [_queue(connection, task, follow_up, at) for follow_up in outcome.follow_ups]
    return _ring(connection, at, _first_of({task.lane, *lanes, *woken}))


def retry(connection: Connection, task: Task, *, delay: float, error: str, at: datetime) -> None:
    """Put a task back to be tried again after `delay` seconds. Raises LeaseLost."""
    due = at + timedelta(seconds=delay)
    back = {"state": "queued", "not_before": due, "ring_at": due, "error": error, "lease": None, "lease_until": None}
    if connection.execute(update(tasks).where(_held(task)).values(back)).rowcount == 0:
        raise LeaseLost(task.id)


def release(connection: Connection, task: Task, *, at: datetime) -> list[Bell]:
    """Put a task back as if this attempt had not been: its worker stops. Returns bells to ring; none if it lost it."""
    back = {
        "state": "queued",
        "attempts": tasks.c.attempts - 1,
        "not_before": at,
        "ring_at": at,
        "lease": None,
        "lease_until": None,
    }
    if connection.execute(update(tasks).where(_held(task)).values(back)).rowcount == 0:
        return []
    return _ring(connection, at, _first_of({task.lane}))


def sweep(
    connection: Connection, *, at: datetime, lost_after: float = RING_AGAIN, limit: int = 500, reap: bool = True
) -> list[Bell]:
    """Find work that nobody is doing: expired leases, lost bells, retries that are due. Returns bells to ring.

    lost_after: seconds after which a bell that nobody answered is taken for lost, at most RING_AGAIN. reap False:
    leases that ran out stay with whoever has them; they could not be renewed.
    """
    if reap:
        _reap(connection, at)
    rung_before = at + timedelta(seconds=RING_AGAIN - lost_after)
    return _ring(connection, at, _due(tasks.c.ring_at, rung_before), limit=limit)


def _reap(connection: Connection, at: datetime) -> None:
    """The worker of a task whose lease ran out is taken for dead."""
    expired = and_(tasks.c.state == RUNNING, _due(tasks.c.lease_until, at))
    back = {
        "state": "queued",
        "crashes": tasks.c.crashes + 1,
        "not_before": at,
        "ring_at": at,
        "lease": None,
        "lease_until": None,
    }
    connection.execute(update(tasks).where(expired).values(back))


def _ring(connection: Connection, at: datetime, which: Any, *, limit: int = 500) -> list[Bell]:
    """The first task of each lane, of those that are due."""
    due = and_(is_open(), tasks.c.state == QUEUED, which, _due(tasks.c.not_before, at))
    first = select(tasks.c.id, tasks.c.name).where(due, ~_blocked())
    rows = connection.execute(first.order_by(tasks.c.event_seq, tasks.c.seq).limit(limit)).all()
    later = {"ring_at": at + timedelta(seconds=RING_AGAIN)}
    if rows:
        connection.execute(update(tasks).where(tasks.c.id.in_([row.id for row in rows])).values(later))
    return [Bell(row.id, row.name) for row in rows]


def _first_of(lanes: Collection[str]) -> ColumnElement[bool]:
    """The condition that it is the first open task of one of these lanes: to find it takes a step into an index for
    each, however many wait behind it.
    """
    first = tasks.alias("first")
    in_order = select(first.c.seq).where(is_open(first)).order_by(first.c.event_seq, first.c.seq).limit(1)
    return tasks.c.seq.in_([in_order.where(first.c.lane == lane).scalar_subquery() for lane in sorted(lanes)])


def _queue(connection: Connection, task: Task, follow_up: FollowUp, at: datetime) -> str:
    """Its place in the lane is with its event: before the work of any event accepted later."""
    lane = follow_up.lane or task.lane
    row = {
        "id": f"tsk_{uuid.uuid4().hex}",
        "event_id": task.event_id,
        "event_seq": task.event_seq,
        "name": follow_up.name,
        "lane": lane,
        "args": dict(follow_up.args),
        "state": "queued",
        "not_before": at,
        "ring_at": at + timedelta(seconds=RING_AGAIN),
        "created_at": at,
    }
    connection.execute(insert(tasks).values(row))
    return lane


def _due(time: Any, at: datetime) -> Any:
    return or_(time <= at, time > at + FURTHEST)


def is_open(table: FromClause = tasks) -> Any:
    """The condition that a task is queued or running, as the index ix_tasks_open has it."""
    return table.c.state.in_((QUEUED, RUNNING))


def is_failed() -> Any:
    """The condition that a task failed for good or is dead, as the index ix_tasks_failed has it."""
    return tasks.c.state.in_((FAILED, DEAD))


def _blocked() -> Any:
    """Something before it in its lane is unfinished, or anything in its lane is running."""
    earlier, other = tasks.alias("earlier"), tasks.alias("other")
    before = tuple_(earlier.c.event_seq, earlier.c.seq) < tuple_(tasks.c.event_seq, tasks.c.seq)
    return or_(
        exists().where(other.c.lane == tasks.c.lane, other.c.state == RUNNING, other.c.id != tasks.c.id),
        exists().where(earlier.c.lane == tasks.c.lane, is_open(earlier), before),
    )


def _held(task: Task) -> Any:
    return and_(tasks.c.id == task.id, tasks.c.lease == task.lease, tasks.c.state == RUNNING)


def unfinished(connection: Connection) -> int:
    """How many tasks are queued or running."""
    return connection.execute(select(func.count()).select_from(tasks).where(is_open())).scalar_one()


def _task(row: Row[Any]) -> Task:
    return Task(
        id=row.tasks_id,
        name=row.tasks_name,
        lane=row.tasks_lane,
        args=row.tasks_args,
        attempts=row.tasks_attempts,
        crashes=row.tasks_crashes,
        started_at=row.tasks_started_at,
        lease=row.tasks_lease,
        event_id=row.events_id,
        event_seq=row.events_seq,
        event_type=row.events_type,
        data=row.events_data,
        actor=row.events_actor,
        actor_name=row.events_actor_name,
        source=row.events_source,
        accepted_at=row.events_accepted_at,
        reply_to=row.events_reply_to,
    )

"""The life of a task: queued, running under a lease, then succeeded, refused, failed or dead; in its lane's order."""

import os
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from registrar.broker.celery_app import TaskMessage
from registrar.events.outcome import Cause, FollowUp, Outcome
from registrar.events.states import TaskState
from registrar.events.types import MODEL_LANE
from registrar.ledger import act_subjects, predicates
from registrar.ledger.journal.interventions_by_hand import record_changes_by_hand
from registrar.ledger.lane_priority import MOVES, Rank
from registrar.ledger.predicates import QUEUED, RUNNING, as_of, is_due, is_open
from registrar.ledger.tables import events, tasks

LEASE_SECONDS = 15  # longer than any single call to MLflow (10 s); renewed right before each write
# Present task names, by those before schema 0016, which archive files and journal entries still have.
FORMER_NAMES = {
    "worker.put_back": "worker.revert_drift",
    "worker.drop": "worker.discard_task",
    "worker.answer": "worker.answer_github_protection_rule",
    "worker.replay": "worker.resend",
}
REDELIVER_AFTER = 10  # seconds after which the sweep takes a bell for lost
MOST_REDELIVERED = 500  # bells, by one sweep
MOST_WAITING = 10_000  # tasks, to bells that wait
_NO_LEASE = {"lease": None, "lease_until": None}
MEANT = "version_created_at"  # of a task's args: when the version was made that it is to be done with
MAX_CRASHES = 5  # a task that took its worker down so often is not begun again: whoever claims it gives it up


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
    doubts: int
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

    @property
    def first(self) -> bool:
        """Whether it is the event's own: what follows from that is told more."""
        return not self.args.keys() - {act_subjects.KEY, MEANT}

    @property
    def original_seq(self) -> int:
        """The place of what the event says among all that was accepted: of a replay, that of the first event."""
        return int(self.args.get(act_subjects.KEY, {}).get(act_subjects.TOLD, self.event_seq))

    @property
    def of_model(self) -> bool:
        """Whether it stands in a model's lane, where all work on the model waits for it."""
        return self.lane.startswith(MODEL_LANE)

    def cause(self, at: datetime, outcome: Outcome) -> Cause:
        return Cause(self.event_id, self.actor, self.actor_name, at, outcome.seen)


def claim(connection: Connection, task_id: str, *, at: datetime) -> Task | None:
    """Start a task, if it is due and nothing before it in its lane is unfinished; else None."""
    started = {"task_id": task_id, "new_lease": uuid.uuid4().hex, "until": at + timedelta(seconds=LEASE_SECONDS)}
    try:
        with connection.begin_nested():
            if connection.execute(_claim_statement(), started | as_of(at)).rowcount == 0:
                return None
    except IntegrityError:  # uq_tasks_running: on PostgreSQL, another of this lane started in the same moment
        return None
    return get(connection, task_id)


def get(connection: Connection, task_id: str) -> Task:
    """A task as it is now, whoever has it; without a lease where nobody has."""
    return _task(connection.execute(_select_with_event(), {"task_id": task_id}).one())


def renew(connection: Connection, task: Task, *, at: datetime, writes: bool = False) -> None:
    """Extend the lease. writes: right before a write to the registry, which may leave a move half done.

    Raises LeaseLost.
    """
    begun = {"rank": Rank.HALF_DONE} if writes and task.name in MOVES else {}
    if not _update_own(connection, task, lease_until=at + timedelta(seconds=LEASE_SECONDS), **begun):
        raise LeaseLost(task.id)


def bind_version(connection: Connection, task: Task, made: str) -> None:
    """Note which version a task is about, as its first attempt found it: when that was made, ISO 8601.

    Raises LeaseLost.
    """
    if not _update_own(connection, task, args={**task.args, MEANT: made}):
        raise LeaseLost(task.id)


def finish(
    connection: Connection, task: Task, state: str, outcome: Outcome, *, error: str | None = None, at: datetime
) -> list[TaskMessage]:
    """End a task as succeeded, refused, failed or dead, with all that its outcome asks for. Raises LeaseLost.

    Returns the bells to ring after the commit.
    """
    end = {"state": state, "outcome": outcome.to_json(), "error": error, "finished_at": at}
    if not _update_own(connection, task, **end, **_NO_LEASE):
        raise LeaseLost(task.id)
    record_changes_by_hand(connection, task.cause(at, outcome), outcome.facts)
    return next_messages(connection, {task.lane, *_apply_outcome(connection, task, outcome, at)}, at=at)


def record_discovery(connection: Connection, task: Task, outcome: Outcome, *, at: datetime) -> list[TaskMessage]:
    """Write what a task found before it goes on. Its summary and facts are not kept: tell of them by follow-ups, in
    lanes of their own. Raises LeaseLost.
    """
    renew(connection, task, at=at)
    return next_messages(connection, _apply_outcome(connection, task, outcome, at) - {task.lane}, at=at)


def _apply_outcome(connection: Connection, task: Task, outcome: Outcome, at: datetime) -> set[str]:
    """Write an outcome's records and follow-ups; the lanes in which something became due."""
    cause = task.cause(at, outcome)
    woken = [lane for record in outcome.records for lane in record.apply(connection, cause) or ()]
    return {*woken, *(_queue(connection, task, follow_up, at) for follow_up in outcome.follow_ups)}


def retry(
    connection: Connection, task: Task, *, delay: float, error: str, at: datetime, doubted: bool = False
) -> list[TaskMessage]:
    """Put a task back to be tried again after `delay` seconds. Raises LeaseLost. Returns bells of what may overtake it.

    doubted: the registry answers others, so the fault may be the task's own.
    """
    due = at + timedelta(seconds=delay)
    back = {
        "state": TaskState.QUEUED,
        "not_before": due,
        "dispatch_at": due,
        "error": error,
        "doubts": task.doubts + doubted,
    }
    if not _update_own(connection, task, **back, **_NO_LEASE):
        raise LeaseLost(task.id)
    return next_messages(connection, {task.lane}, at=at)


def release(connection: Connection, task: Task, *, at: datetime) -> list[TaskMessage]:
    """Put a task back at once: its worker stops. Returns bells to ring; none if it lost it.

    The attempt counts: it may have written to the registry, and the next one must know that it is not the first.
    """
    back = {"state": TaskState.QUEUED, "not_before": at, "dispatch_at": at}
    if not _update_own(connection, task, **back, **_NO_LEASE):
        return []
    return next_messages(connection, {task.lane}, at=at)


def sweep(
    connection: Connection, *, at: datetime, lost_after: float = REDELIVER_AFTER, waiting: int = 0, reap: bool = True
) -> list[TaskMessage]:
    """Find work that nobody is doing: expired leases, lost bells, retries that are due. Returns bells to ring.

    lost_after: seconds after which a bell that nobody answered is taken for lost, at most RING_AGAIN. waiting: so many
    bells wait to be heard, and as many tasks that were rung for are left to them: else each sweep of a busy
    installation would ring for them all, and those who hear it would soon do nothing else. reap False: leases that
    ran out stay with whoever has them; they could not be renewed.
    """
    if reap:
        connection.execute(_reap_statement(), as_of(at))
    rung_before = at + timedelta(seconds=REDELIVER_AFTER - lost_after)
    now = {"now": at, "now_furthest": at + predicates.FURTHEST}
    looked_at = {"most": MOST_REDELIVERED + min(waiting, MOST_WAITING)}
    unheard = connection.execute(_select_overdue(), as_of(rung_before) | now | looked_at).all()
    due = [row for row in unheard if row.dispatch_at <= row.not_before]  # put back: its bell was heard
    rung = sorted((row for row in unheard if row.dispatch_at > row.not_before), key=lambda row: row.dispatch_at)
    lost = rung[: max(0, len(rung) - waiting)]  # those rung for longest ago: a bell that waits is heard in its turn
    return _mark_dispatched(connection, (due + lost)[:MOST_REDELIVERED], at)


def next_messages(connection: Connection, lanes: Collection[str], *, at: datetime) -> list[TaskMessage]:
    """The bells of the first task of each lane, of those that can begin."""
    named = {f"lane_{number}": lane for number, lane in enumerate(sorted(lanes))}
    return _mark_dispatched(
        connection, connection.execute(_select_first_of_lanes(len(named)), as_of(at) | named).all(), at
    )


def next_message(connection: Connection, names: Collection[str], *, at: datetime) -> list[TaskMessage]:
    """The bell of the first task of these names that can begin, whatever its lane."""
    return _mark_dispatched(
        connection, connection.execute(_select_next_by_name(), as_of(at) | {"names": sorted(names)}).all(), at
    )


def _mark_dispatched(connection: Connection, rows: Sequence[Row[Any]], at: datetime) -> list[TaskMessage]:
    if rows:
        rung = {"ids": [row.id for row in rows], "again": at + timedelta(seconds=REDELIVER_AFTER)}
        connection.execute(_postpone_statement(), rung)
    return [TaskMessage(row.id, row.name) for row in rows]


def _update_own(connection: Connection, task: Task, **to: Any) -> bool:
    """Whether it was still ours to change."""
    held = {"task_id": task.id, "held_by": task.lease}
    values = {f"new_{name}": value for name, value in to.items()}
    return connection.execute(_update_statement(tuple(to)), held | values).rowcount > 0


def _queue(connection: Connection, task: Task, follow_up: FollowUp, at: datetime) -> str:
    """Its place in the lane is with its event: before the work of any event accepted later."""
    lane = follow_up.lane or task.lane
    row = {
        "id": new_id(),
        "event_id": task.event_id,
        "event_seq": task.event_seq,
        "name": follow_up.name,
        "lane": lane,
        "rank": Rank.HALF_DONE if follow_up.finishes else Rank.ORDINARY,
        "args": dict(follow_up.args),
        "state": TaskState.QUEUED,
        "not_before": at,
        "dispatch_at": at + timedelta(seconds=REDELIVER_AFTER),
        "created_at": at,
    }
    connection.execute(_INSERT, row)
    return lane


def new_id() -> str:
    """Of a task: milliseconds, then 80 random bits. New ones are neighbours in the index: a commit has fewer pages."""
    return f"tsk_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def unfinished(connection: Connection) -> int:
    """How many tasks are queued or running."""
    return connection.execute(select(func.count()).select_from(tasks).where(is_open())).scalar_one()


# The statements are put together once: SQLAlchemy takes longer for that than SQLite for the answer.


@cache
def _claim_statement() -> Update:
    mine = (tasks.c.id == bindparam("task_id"), tasks.c.state == QUEUED, is_due(tasks.c.not_before))
    started_at = func.coalesce(tasks.c.started_at, bindparam("at", type_=tasks.c.started_at.type))  # the first time
    return (
        update(tasks)
        .where(*mine, ~predicates.is_blocked())
        .values(
            state=TaskState.RUNNING,
            attempts=tasks.c.attempts + 1,
            lease=bindparam("new_lease"),
            lease_until=bindparam("until"),
            started_at=started_at,
        )
    )


@cache
def _select_with_event() -> Select[Any]:
    joined = select(tasks, events).join(events, tasks.c.event_id == events.c.id)
    one = joined.where(tasks.c.id == bindparam("task_id"))
    return one.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


@cache
def _update_statement(columns: tuple[str, ...]) -> Update:
    return update(tasks).where(predicates.is_held()).values({name: bindparam(f"new_{name}") for name in columns})


@cache
def _reap_statement() -> Update:
    """The worker of a task whose lease ran out is taken for dead."""
    expired = (tasks.c.state == RUNNING, is_due(tasks.c.lease_until))
    at: ColumnElement[Any] = bindparam("at")
    back: dict[str, Any] = {"state": TaskState.QUEUED, "not_before": at, "dispatch_at": at, **_NO_LEASE}
    return update(tasks).where(*expired).values(crashes=tasks.c.crashes + 1, **back)


def _select_startable(which: Any, due: Any) -> Select[Any]:
    ready = (is_open(), tasks.c.state == QUEUED, which, due, ~predicates.is_blocked())
    of_it = (tasks.c.id, tasks.c.name, tasks.c.dispatch_at, tasks.c.not_before)
    return select(*of_it).where(*ready).order_by(*predicates.place())


@cache
def _select_overdue() -> Select[Any]:
    """What should have been begun before `at`, and can `now`."""
    due = is_due(tasks.c.not_before, now="now", furthest="now_furthest")
    return _select_startable(is_due(tasks.c.dispatch_at), due).limit(bindparam("most"))


@cache
def _select_first_of_lanes(lanes: int) -> Select[Any]:
    which = predicates.is_first_of([bindparam(f"lane_{number}") for number in range(lanes)])
    return _select_startable(which, is_due(tasks.c.not_before))


@cache
def _select_next_by_name() -> Select[Any]:
    return _select_startable(tasks.c.name.in_(bindparam("names", expanding=True)), is_due(tasks.c.not_before)).limit(1)


@cache
def _postpone_statement() -> Update:
    return update(tasks).where(tasks.c.id.in_(bindparam("ids", expanding=True))).values(dispatch_at=bindparam("again"))


_INSERT = insert(tasks)


def _task(row: Row[Any]) -> Task:
    return Task(
        id=row.tasks_id,
        name=row.tasks_name,
        lane=row.tasks_lane,
        args=row.tasks_args,
        attempts=row.tasks_attempts,
        crashes=row.tasks_crashes,
        doubts=row.tasks_doubts,
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

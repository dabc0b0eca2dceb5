"""The life of a task: queued, running under a lease, then succeeded, refused, failed or dead; in its lane's order."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    func,
    select,
)
from sqlalchemy.exc import IntegrityError

from registrar.broker.task_message import TaskMessage
from registrar.events.outcome import Cause, FollowUp, Outcome
from registrar.events.states import TaskState
from registrar.events.types import MODEL_LANE
from registrar.ledger import act_subjects
from registrar.ledger.journal.changes_by_hand import record_changes_by_hand
from registrar.ledger.lane_priority import MOVES, Rank
from registrar.ledger.predicates import as_of, is_open
from registrar.ledger.row_ids import new_id
from registrar.ledger.tables import tasks
from registrar.ledger.task_dispatch import REDELIVER_AFTER, next_messages
from registrar.ledger.task_statements import (
    INSERT_TASK,
    NO_LEASE,
    claim_statement,
    select_own_lease,
    select_with_event,
    update_statement,
)

# Longer than any single call to MLflow (10 s); renewed right before each write.
LEASE_SECONDS = 15
# A lease of which so much is left is checked and not written again: it still outlives any single call to MLflow.
RENEW_BELOW = 12
# Present task names, by those before schema 0016, which archive files and journal entries still have.
FORMER_NAMES = {
    "worker.put_back": "worker.revert_drift",
    "worker.drop": "worker.discard_task",
    "worker.answer": "worker.answer_github_protection_rule",
    "worker.replay": "worker.resend",
}
# Key in a task's args: when the registry made the version that the task is bound to, ISO 8601.
BOUND_VERSION = "version_created_at"
# After so many crashes of its worker a task is not begun again: the next claim ends it as dead.
MAX_CRASHES = 5


class LeaseLost(RuntimeError):
    """Another worker has the task now; this one must not write anything more about it."""


@dataclass(frozen=True)
class Task:
    """A claimed task with its event. lease: the token that every write about the task must show."""

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
        """Whether it is the event's own first task, and no follow-up."""
        return not self.args.keys() - {act_subjects.KEY, BOUND_VERSION}

    @property
    def original_seq(self) -> int:
        """The seq of the event; of an event that was sent again, the seq of the original."""
        return int(self.args.get(act_subjects.KEY, {}).get(act_subjects.ORIGINAL, self.event_seq))

    @property
    def of_model(self) -> bool:
        """Whether it is in a model's lane, where all work on the model waits for it."""
        return self.lane.startswith(MODEL_LANE)

    def cause(self, at: datetime, outcome: Outcome) -> Cause:
        return Cause(self.event_id, self.actor, self.actor_name, at, outcome.seen)


def claim(connection: Connection, task_id: str, *, at: datetime) -> Task | None:
    """Start a task if it is due and first in its lane; else return None."""
    params = {"task_id": task_id, "new_lease": uuid.uuid4().hex, "until": at + timedelta(seconds=LEASE_SECONDS)}
    try:
        with connection.begin_nested():
            if connection.execute(claim_statement(), params | as_of(at)).rowcount == 0:
                return None
    except IntegrityError:  # uq_tasks_running: on PostgreSQL, another task of this lane started at the same moment
        return None
    return get(connection, task_id)


def get(connection: Connection, task_id: str) -> Task:
    """Return a task as it is now, whichever worker has it. lease: None where none has."""
    return _task(connection.execute(select_with_event(), {"task_id": task_id}).one())


def renew(connection: Connection, task: Task, *, at: datetime, writes: bool = False) -> None:
    """Extend the lease unless it is fresh. writes: a write to the registry follows, which may leave a move half done.

    Raises LeaseLost.
    """
    rank = Rank.HALF_DONE if writes and task.name in MOVES else None
    held = {"task_id": task.id, "held_by": task.lease}
    own = connection.execute(select_own_lease(), held).one_or_none()
    if own is None:
        raise LeaseLost(task.id)
    fresh = at + timedelta(seconds=RENEW_BELOW) < own.lease_until <= at + timedelta(seconds=LEASE_SECONDS)
    if fresh and rank in (None, own.rank):
        return
    _extend(connection, task, at, **({} if rank is None else {"rank": rank}))


def _extend(connection: Connection, task: Task, at: datetime, **columns: Any) -> None:
    """Write the lease's new end, and keep the row locked until the commit. Raises LeaseLost."""
    if not _update_own(connection, task, lease_until=at + timedelta(seconds=LEASE_SECONDS), **columns):
        raise LeaseLost(task.id)


def bind_version(connection: Connection, task: Task, created_at: str) -> None:
    """Bind a task to the version that its first attempt found. made: when the registry made it, ISO 8601.

    Raises LeaseLost.
    """
    if not _update_own(connection, task, args={**task.args, BOUND_VERSION: created_at}):
        raise LeaseLost(task.id)


def finish(
    connection: Connection, task: Task, state: str, outcome: Outcome, *, error: str | None = None, at: datetime
) -> list[TaskMessage]:
    """End a task as succeeded, refused, failed or dead, and apply its outcome. Raises LeaseLost.

    Returns the messages to publish after the commit.
    """
    end = {"state": state, "outcome": outcome.to_json(), "error": error, "finished_at": at}
    if not _update_own(connection, task, **end, **NO_LEASE):
        raise LeaseLost(task.id)
    record_changes_by_hand(connection, task.cause(at, outcome), outcome.facts)
    return next_messages(connection, {task.lane, *_apply_outcome(connection, task, outcome, at)}, at=at)


def record_discovery(connection: Connection, task: Task, outcome: Outcome, *, at: datetime) -> list[TaskMessage]:
    """Apply an outcome before the task goes on. Its summary and facts are not stored: notify by follow-ups in lanes of
    their own. Raises LeaseLost. Returns the messages to publish after the commit.
    """
    _extend(connection, task, at)
    return next_messages(connection, _apply_outcome(connection, task, outcome, at) - {task.lane}, at=at)


def _apply_outcome(connection: Connection, task: Task, outcome: Outcome, at: datetime) -> set[str]:
    """Write an outcome's records and follow-ups. Returns the lanes in which something became due."""
    cause = task.cause(at, outcome)
    lanes = [lane for record in outcome.records for lane in record.apply(connection, cause) or ()]
    return {*lanes, *(_queue(connection, task, follow_up, at) for follow_up in outcome.follow_ups)}


def retry(
    connection: Connection, task: Task, *, delay: float, error: str, at: datetime, doubted: bool = False
) -> list[TaskMessage]:
    """Queue a task again, due in `delay` seconds. Raises LeaseLost. Returns messages of tasks that may overtake it.

    doubted: the registry answers other tasks, so that the fault may be this task's own.
    """
    due = at + timedelta(seconds=delay)
    back = {
        "state": TaskState.QUEUED,
        "not_before": due,
        "dispatch_at": due,
        "error": error,
        "doubts": task.doubts + doubted,
    }
    if not _update_own(connection, task, **back, **NO_LEASE):
        raise LeaseLost(task.id)
    return next_messages(connection, {task.lane}, at=at)


def release(connection: Connection, task: Task, *, at: datetime) -> list[TaskMessage]:
    """Queue a task again at once, as its worker stops. Returns messages to publish; none if the lease was lost.

    The attempt counts: it may have written to the registry, and the next one must know that it is not the first.
    """
    back = {"state": TaskState.QUEUED, "not_before": at, "dispatch_at": at}
    if not _update_own(connection, task, **back, **NO_LEASE):
        return []
    return next_messages(connection, {task.lane}, at=at)


def _update_own(connection: Connection, task: Task, **to: Any) -> bool:
    """Change columns of a task if this worker still has its lease; return whether it does."""
    held = {"task_id": task.id, "held_by": task.lease}
    values = {f"new_{name}": value for name, value in to.items()}
    return connection.execute(update_statement(tuple(to)), held | values).rowcount > 0


def _queue(connection: Connection, task: Task, follow_up: FollowUp, at: datetime) -> str:
    """Insert a follow-up, in the lane before the tasks of any event accepted later. Returns the lane."""
    lane = follow_up.lane or task.lane
    row = {
        "id": new_id("tsk"),
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
    connection.execute(INSERT_TASK, row)
    return lane


def unfinished(connection: Connection) -> int:
    """Count the tasks that are queued or running."""
    return connection.execute(select(func.count()).select_from(tasks).where(is_open())).scalar_one()


_OF_TASK = ("id", "name", "lane", "args", "attempts", "crashes", "doubts", "started_at", "lease")
_OF_EVENT = ("data", "actor", "actor_name", "source", "accepted_at", "reply_to")


def _task(row: Row[Any]) -> Task:
    own = {name: row._mapping[f"tasks_{name}"] for name in _OF_TASK}
    event = {name: row._mapping[f"events_{name}"] for name in _OF_EVENT}
    return Task(**own, **event, event_id=row.events_id, event_seq=row.events_seq, event_type=row.events_type)

"""Dead letters: tasks that failed for good, or used up their time and attempts; and what may become of each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from registrar.events.states import TaskState
from registrar.events.types import (
    EventReplay,
    ModelVersionTransition,
    PromotionApprove,
    PromotionCancel,
    PromotionRequest,
    TaskDrop,
    TaskRetry,
)
from registrar.ledger.act_subjects import explain_outdated_vote
from registrar.ledger.lane_priority import Rank
from registrar.ledger.predicates import is_failed
from registrar.ledger.promotions import get
from registrar.ledger.tables import events, tasks
from registrar.queries.filters import DEAD_STATES

# Tasks that retry, drop or resend are no dead letters when they fail: their author is told at once, and may try again.
ABOUT = (TaskRetry.task, TaskDrop.task, EventReplay.task)
_DECIDING = (PromotionRequest.task, ModelVersionTransition.task)  # a promotion that they name fails with them
_VOTES = (PromotionApprove.task, PromotionCancel.task)
_TASK = ("seq", "id", "name", "state", "lane", "rank", "args", "attempts", "crashes", "error")
_INTERNAL = ("data", "seq", "event_seq", "rank")  # fields that to_json leaves out
_TIMES = ("created_at", "started_at", "finished_at")
_EVENT = ("model", "data", "actor", "actor_name", "source", "accepted_at")


@dataclass(frozen=True)
class DeadLetter:
    """A task with its event. attempts, crashes: since its last retry by a person, if there was one."""

    seq: int
    id: str
    name: str
    state: str
    lane: str
    rank: int
    args: Mapping[str, Any]
    attempts: int
    crashes: int
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    model: str | None
    data: Mapping[str, Any]
    actor: str
    actor_name: str
    source: str
    accepted_at: datetime
    event_id: str
    event_seq: int
    event_type: str

    def __str__(self) -> str:
        about = f" about {self.model}" if self.model else ""
        return f"{self.verb} for {self.event_type}{about} by {self.actor_name}"

    @property
    def verb(self) -> str:
        return self.name.removeprefix("worker.")

    @property
    def promotion(self) -> str | None:
        """The id of the promotion that fails if this task fails."""
        return self.args.get("promotion") if self.name in _DECIDING else None

    def was(self) -> dict[str, Any]:
        """Return how it ended, for the record; JSON-able."""
        ended = self.finished_at.isoformat() if self.finished_at else None
        columns = {name: getattr(self, name) for name in ("state", "error", "attempts", "crashes")}
        return {**columns, "finished_at": ended}

    def to_json(self) -> dict[str, Any]:
        """Return it, JSON-able except datetimes, without the encrypted address for the answer."""
        columns = {name: value for name, value in asdict(self).items() if name not in _INTERNAL}
        return columns | {"args": {name: value for name, value in self.args.items() if name != "to"}}


def list_dead_letters(
    connection: Connection,
    *,
    state: str | None = None,
    model: str | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[DeadLetter]:
    """Return failed and dead tasks, newest first. before: (finished_at, seq) of the last one of the page before."""
    query = _query().where(is_failed(), tasks.c.name.not_in(ABOUT))
    if state is not None:
        query = query.where(tasks.c.state == state)
    if model is not None:
        # Dead letters are few, and a model's events many: coalesce keeps SQLite from beginning with the index on model.
        query = query.where(func.coalesce(events.c.model, "") == model)
    if before is not None:
        at, seq = before
        earlier = or_(tasks.c.finished_at < at, and_(tasks.c.finished_at == at, tasks.c.seq < seq))
        query = query.where(tasks.c.finished_at <= at, earlier)
    query = query.order_by(tasks.c.finished_at.desc(), tasks.c.seq.desc()).limit(limit)
    return [DeadLetter(**row) for row in connection.execute(query).mappings()]


def get_dead_letter(connection: Connection, task_id: str) -> DeadLetter | None:
    """Return a task in any state."""
    row = connection.execute(_query().where(tasks.c.id == task_id)).mappings().one_or_none()
    return DeadLetter(**row) if row else None


def explain_not_dead(letter: DeadLetter) -> str | None:
    """Say why a task is no dead letter; None: it failed or is dead."""
    if letter.name in ABOUT:
        return f"{letter.id} is a {letter.event_type} that could not be done: send it again"
    if letter.state in DEAD_STATES:
        return None
    endings: dict[str, str] = {
        TaskState.SUCCEEDED: "is done",
        TaskState.REFUSED: f"was refused, and nothing is left to do; to ask again: registrar replay {letter.event_id}",
        TaskState.DROPPED: f"was dropped; to do it nevertheless: registrar replay {letter.event_id}",
    }
    return f"{letter.id} {endings.get(letter.state, f'is {letter.state}: it is being done')}"


def explain_no_drop(letter: DeadLetter) -> str | None:
    """Say why a task can't be dropped; None: it can, as it failed, is dead, or is queued."""
    if letter.state == TaskState.RUNNING and letter.name not in ABOUT:
        return f"{letter.id} is running: a worker is at it right now. Drop it when it waits again, or has failed"
    if letter.state != TaskState.QUEUED or letter.name in ABOUT:
        return explain_not_dead(letter)
    if letter.rank != Rank.HALF_DONE:
        return None
    return (
        f"{letter.id} has begun to move a version in MLflow, or is what is left of a move: it is finished, or given up "
        "and taken back. Drop it when it has failed"
    )


def explain_no_retry(connection: Connection, letter: DeadLetter) -> str | None:
    """Say why a task can't be tried again, and what to do instead; None: it can."""
    return (
        explain_not_dead(letter)
        or _explain_ended_promotion(connection, letter)
        or _explain_outdated_vote(connection, letter)
    )


def _explain_ended_promotion(connection: Connection, letter: DeadLetter) -> str | None:
    """Say that the task's promotion has ended; a retry can't revive it, it must be requested again."""
    promotion = get(connection, letter.promotion) if letter.promotion else None
    if promotion is None or promotion.open:
        return None
    request = f"model={promotion.model} version={promotion.version} target={promotion.target}"
    return (
        f"the promotion of {promotion} has ended ({promotion.state}), and does not come back by a retry; "
        f"ask for it anew: registrar send promotion.request {request}"
    )


def _explain_outdated_vote(connection: Connection, letter: DeadLetter) -> str | None:
    """Say that the vote is about an earlier promotion or earlier evidence."""
    if letter.name not in _VOTES:
        return None
    why = explain_outdated_vote(connection, letter.event_type, letter.data, letter.args, letter.actor_name)
    return f"{why}; it takes a new {letter.event_type}" if why else None


def _query() -> Select[Any]:
    own = [tasks.c[name] for name in (*_TASK, *_TIMES, "event_id", "event_seq")]
    of_event = [events.c[name] for name in _EVENT]
    joined = tasks.join(events, tasks.c.event_id == events.c.id)
    return select(*own, *of_event, events.c.type.label("event_type")).select_from(joined)

"""Queries behind gauges: open tasks, dead letters, open promotions, holders. All by indexes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, select

from registrar.events.states import PromotionState
from registrar.ledger.dead_letters import ABOUT
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.predicates import DEAD, QUEUED, RUNNING, is_failed, is_open
from registrar.ledger.promotions import is_open as is_undecided
from registrar.ledger.stage_snapshots import last_snapshot
from registrar.ledger.tables import holders, promotions, tasks


@dataclass(frozen=True)
class Queue:
    """Open tasks. due: could begin now. retried: queued after a failed attempt."""

    queued: int
    running: int
    due: int
    retried: int
    oldest_due: datetime | None


@dataclass(frozen=True)
class RetriedTask:
    """A queued task whose last attempt failed."""

    name: str
    error: str | None


@dataclass(frozen=True)
class DeadLetterCount:
    """The number of dead letters of a task name and state (failed | dead). oldest: when the first of them failed."""

    name: str
    state: str
    count: int
    oldest: datetime


@dataclass(frozen=True)
class OpenPromotion:
    """An open promotion. since: when it entered its state, or was requested."""

    model: str
    target: str
    state: str
    since: datetime


@dataclass(frozen=True)
class HeldTarget:
    """A stage or alias (kind) of a model: the number of its holders, and since when the first of them holds it.

    Of several holders of a stage, the newest counts, and those that the last snapshot of MLflow has there: the row of
    a version that was moved away by hand stays open until the next move.
    """

    model: str
    kind: str
    key: str
    holders: int
    since: datetime


def queue(connection: Connection, at: datetime) -> Queue:
    due = and_(tasks.c.state == QUEUED, tasks.c.not_before <= at)
    retried = and_(tasks.c.state == QUEUED, tasks.c.attempts > 0)
    counted = {"queued": tasks.c.state == QUEUED, "running": tasks.c.state == RUNNING, "due": due, "retried": retried}
    counts = [func.count(case((which, 1))).label(name) for name, which in counted.items()]
    oldest = func.min(case((due, tasks.c.not_before))).label("oldest_due")
    return Queue(**connection.execute(select(*counts, oldest).where(is_open())).one()._mapping)


def dead(connection: Connection) -> Sequence[DeadLetterCount]:
    """Count the dead letters that `registrar dead list` lists."""
    columns = (tasks.c.name, tasks.c.state)
    query = select(*columns, func.count(), func.min(tasks.c.finished_at)).where(is_failed(), tasks.c.name.not_in(ABOUT))
    return [DeadLetterCount(*row) for row in connection.execute(query.group_by(*columns))]


def count_dead_letters(connection: Connection, *, at_most: int) -> int:
    """Count the dead letters that `registrar dead list` lists, up to a number."""
    some = select(tasks.c.seq).where(is_failed(), tasks.c.name.not_in(ABOUT)).limit(at_most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def retried_example(connection: Connection) -> RetriedTask | None:
    """Return any one of the tasks that `queue` counts as retried."""
    query = select(tasks.c.name, tasks.c.error).where(is_open(), tasks.c.state == QUEUED, tasks.c.attempts > 0)
    row = connection.execute(query.limit(1)).one_or_none()
    return RetriedTask(*row) if row else None


def dead_tasks(connection: Connection) -> tuple[int, datetime | None]:
    """Return the number of dead tasks, of any name, and when the last one died."""
    query = select(func.count(), func.max(tasks.c.finished_at)).where(is_failed(), tasks.c.state == DEAD)
    count, last = connection.execute(query).one()
    return count, last


def undecided(connection: Connection) -> Sequence[OpenPromotion]:
    asked_since = case((promotions.c.state == PromotionState.AWAITING_APPROVAL, promotions.c.due_at))
    since = func.coalesce(asked_since, promotions.c.created_at)
    query = select(promotions.c.model, promotions.c.target, promotions.c.state, since)
    return [OpenPromotion(*row) for row in connection.execute(query.where(is_undecided()))]


def held(connection: Connection) -> Sequence[HeldTarget]:
    columns = (holders.c.model, holders.c.kind, holders.c.key)
    query = select(*columns, func.count(), func.min(holders.c.since)).where(holders.c.until.is_(None))
    targets = [HeldTarget(*row) for row in connection.execute(query.group_by(*columns))]
    counts = {
        target: _count_present_holders(connection, target)
        for target in targets
        if target.holders > 1 and _may_be_stale(target)
    }
    return [replace(target, holders=counts.get(target, target.holders)) for target in targets]


def _may_be_stale(target: HeldTarget) -> bool:
    return target.kind == "stage" and target.key != ARCHIVED


def _count_present_holders(connection: Connection, target: HeldTarget) -> int:
    snapshot = last_snapshot(connection, target.model)
    if snapshot is None or target.key not in snapshot.held:
        return target.holders
    matching = (holders.c.model == target.model, holders.c.kind == target.kind, holders.c.key == target.key)
    query = select(holders.c.version).where(*matching, holders.c.until.is_(None)).order_by(holders.c.seq)
    *before, _ = connection.execute(query).scalars().all()
    return 1 + sum(version in snapshot.held[target.key] for version in before)

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
    """A stage or alias (kind) of a model with its number of holders, the first of them since when.

    Of several in a stage those count that MLflow still had there when it was last looked at, and the newest: a row of a
    version that left by hand stays until the next move, and is no second holder.
    """

    model: str
    kind: str
    key: str
    holders: int
    since: datetime


def queue(connection: Connection, at: datetime) -> Queue:
    due = and_(tasks.c.state == QUEUED, tasks.c.not_before <= at)
    again = and_(tasks.c.state == QUEUED, tasks.c.attempts > 0)
    counted = {"queued": tasks.c.state == QUEUED, "running": tasks.c.state == RUNNING, "due": due, "retried": again}
    counts = [func.count(case((which, 1))).label(name) for name, which in counted.items()]
    oldest = func.min(case((due, tasks.c.not_before))).label("oldest_due")
    return Queue(**connection.execute(select(*counts, oldest).where(is_open())).one()._mapping)


def dead(connection: Connection) -> Sequence[DeadLetterCount]:
    """Count the dead letters that `registrar dead list` lists."""
    what = (tasks.c.name, tasks.c.state)
    query = select(*what, func.count(), func.min(tasks.c.finished_at)).where(is_failed(), tasks.c.name.not_in(ABOUT))
    return [DeadLetterCount(*row) for row in connection.execute(query.group_by(*what))]


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
    asked = case((promotions.c.state == PromotionState.AWAITING_APPROVAL, promotions.c.due_at))
    since = func.coalesce(asked, promotions.c.created_at)
    query = select(promotions.c.model, promotions.c.target, promotions.c.state, since)
    return [OpenPromotion(*row) for row in connection.execute(query.where(is_undecided()))]


def held(connection: Connection) -> Sequence[HeldTarget]:
    what = (holders.c.model, holders.c.kind, holders.c.key)
    query = select(*what, func.count(), func.min(holders.c.since)).where(holders.c.until.is_(None))
    found = [HeldTarget(*row) for row in connection.execute(query.group_by(*what))]
    several = {one: _still_there(connection, one) for one in found if one.holders > 1 and _may_be_stale(one)}
    return [replace(one, holders=several.get(one, one.holders)) for one in found]


def _may_be_stale(one: HeldTarget) -> bool:
    return one.kind == "stage" and one.key != ARCHIVED


def _still_there(connection: Connection, one: HeldTarget) -> int:
    look = last_snapshot(connection, one.model)
    if look is None or one.key not in look.held:
        return one.holders
    mine = (holders.c.model == one.model, holders.c.kind == one.kind, holders.c.key == one.key)
    query = select(holders.c.version).where(*mine, holders.c.until.is_(None)).order_by(holders.c.seq)
    *before, _ = connection.execute(query).scalars().all()
    return 1 + sum(version in look.held[one.key] for version in before)

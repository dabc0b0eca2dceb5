"""The SQL of a task's life. Each statement is built once, as SQLAlchemy takes longer for that than SQLite to run it."""

from functools import cache
from typing import Any

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    ColumnElement,
    Select,
    Update,
    bindparam,
    func,
    insert,
    select,
    update,
)

from registrar.events.states import TaskState
from registrar.ledger import predicates
from registrar.ledger.predicates import QUEUED, RUNNING, is_due, is_open
from registrar.ledger.tables import events, tasks

NO_LEASE = {"lease": None, "lease_until": None}


@cache
def claim_statement() -> Update:
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
def select_with_event() -> Select[Any]:
    joined = select(tasks, events).join(events, tasks.c.event_id == events.c.id)
    one = joined.where(tasks.c.id == bindparam("task_id"))
    return one.set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)


@cache
def select_own_lease() -> Select[Any]:
    return select(tasks.c.rank, tasks.c.lease_until).where(predicates.is_held())


@cache
def update_statement(columns: tuple[str, ...]) -> Update:
    return update(tasks).where(predicates.is_held()).values({name: bindparam(f"new_{name}") for name in columns})


@cache
def reap_statement() -> Update:
    """Queue tasks again whose lease ran out: their worker is taken for dead."""
    expired = (tasks.c.state == RUNNING, is_due(tasks.c.lease_until))
    at: ColumnElement[Any] = bindparam("at")
    back: dict[str, Any] = {"state": TaskState.QUEUED, "not_before": at, "dispatch_at": at, **NO_LEASE}
    return update(tasks).where(*expired).values(crashes=tasks.c.crashes + 1, **back)


def _select_startable(which: Any, due: Any) -> Select[Any]:
    ready = (is_open(), tasks.c.state == QUEUED, which, due, ~predicates.is_blocked())
    of_it = (tasks.c.id, tasks.c.name, tasks.c.lane, tasks.c.event_id, tasks.c.dispatch_at, tasks.c.not_before)
    return select(*of_it).where(*ready).order_by(*predicates.place())


@cache
def select_overdue() -> Select[Any]:
    """Select tasks that were to be dispatched before `at` and can begin `now`."""
    due = is_due(tasks.c.not_before, now="now", furthest="now_furthest")
    return _select_startable(is_due(tasks.c.dispatch_at), due).limit(bindparam("most"))


@cache
def select_first_of_lanes(lanes: int) -> Select[Any]:
    which = predicates.is_first_of([bindparam(f"lane_{number}") for number in range(lanes)])
    return _select_startable(which, is_due(tasks.c.not_before))


@cache
def select_next_by_name() -> Select[Any]:
    return _select_startable(tasks.c.name.in_(bindparam("names", expanding=True)), is_due(tasks.c.not_before)).limit(1)


@cache
def postpone_statement() -> Update:
    return update(tasks).where(tasks.c.id.in_(bindparam("ids", expanding=True))).values(dispatch_at=bindparam("again"))


INSERT_TASK = insert(tasks)

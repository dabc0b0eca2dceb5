"""Search events: newest first, a page at a time, by indexes.

A page begins where the one before ended (by `seq`), so that new events move nothing. Each filter has an index. Times
are found by bisection, since events are accepted in the order of their numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, literal_column, not_, select

from registrar.events.states import EventState, TaskState
from registrar.ledger.predicates import is_failed, is_open
from registrar.ledger.queries.event_status import WORST_FIRST, state_of
from registrar.ledger.queries.time_bisect import TimeBisect
from registrar.ledger.tables import events, tasks
from registrar.queries.filters import EventFilter

_ROW = ("seq", "id", "type", "model", "source", "actor", "actor_name", "occurred_at", "accepted_at", "data")
# Conditions on a task, each as its partial index has it: ix_tasks_dropped, ix_tasks_refused, ix_tasks_failed.
_HAS_STATE: Mapping[str, ColumnElement[bool]] = {
    EventState.DROPPED: tasks.c.state == literal_column(f"'{TaskState.DROPPED}'"),
    EventState.REFUSED: tasks.c.state == literal_column(f"'{TaskState.REFUSED}'"),
    EventState.FAILED: and_(is_failed(), tasks.c.state == TaskState.FAILED),
    EventState.DEAD: and_(is_failed(), tasks.c.state == TaskState.DEAD),
}


def search(
    connection: Connection, filter_: EventFilter, *, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Return at most `limit` events with their `seq` and `state`, newest first. before: the last page's last seq."""
    query = select(*(events.c[name] for name in _ROW)).order_by(events.c.seq.desc()).limit(limit)
    for name in ("source", "type", "model", "actor"):
        if (value := getattr(filter_, name)) is not None:
            query = query.where(events.c[name] == value)
    within = TimeBisect(filter_.since, filter_.until, before=before).where(
        connection, events.c.seq, events.c.accepted_at
    )
    query = query.where(*within, *_in_state(filter_.state))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    states = _task_states(connection, [row["id"] for row in rows])
    return [row | {"state": state_of(states.get(row["id"], set()))} for row in rows]


def _task_states(connection: Connection, ids: Sequence[str]) -> Mapping[str, set[str]]:
    """Return the states of each event's tasks, by event id."""
    query = select(tasks.c.event_id, tasks.c.state).where(tasks.c.event_id.in_(ids))
    states: dict[str, set[str]] = {}
    for event_id, state in connection.execute(query) if ids else ():
        states.setdefault(event_id, set()).add(state)
    return states


def _in_state(state: str | None) -> list[ColumnElement[bool]]:
    """Match events by the worst state of their tasks (event_status.state_of)."""
    if state is None:
        return []
    if state == EventState.SUCCEEDED:
        return [not_(_has(tasks.c.state != TaskState.SUCCEEDED))]
    if state == EventState.UNFINISHED:
        return [events.c.seq.in_(select(tasks.c.event_seq).where(is_open()))]
    worse = (TaskState.QUEUED, TaskState.RUNNING, *WORST_FIRST[: WORST_FIRST.index(TaskState(state))])
    of_it = select(tasks.c.event_seq).where(_HAS_STATE[state])
    return [events.c.seq.in_(of_it), not_(_has(tasks.c.state.in_(worse)))]


def _has(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(and_(tasks.c.event_id == events.c.id, which))

"""Search events: newest first, a page at a time, by indexes.

A page begins where the one before ended (by `seq`): what is accepted meanwhile moves nothing. Each filter has an
index; times are looked up by halving, since events are accepted in the order of their numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, exists, literal_column, not_, select

from registrar.events.states import UNFINISHED, TaskState
from registrar.ledger.predicates import is_failed, is_open
from registrar.ledger.queries.event_status import WORST_FIRST, state_of
from registrar.ledger.queries.time_bisect import TimeBisect
from registrar.ledger.tables import events, tasks

State = Literal["unfinished", "succeeded", "refused", "dropped", "failed", "dead"]
STATES: tuple[State, ...] = get_args(State)
_ROW = ("seq", "id", "type", "model", "source", "actor", "actor_name", "occurred_at", "accepted_at", "data")
# The conditions of ix_tasks_dropped and ix_tasks_refused.
_DROPPED: ColumnElement[bool] = tasks.c.state == literal_column(f"'{TaskState.DROPPED}'")
_REFUSED: ColumnElement[bool] = tasks.c.state == literal_column(f"'{TaskState.REFUSED}'")


@dataclass(frozen=True)
class EventFilter:
    """None: any. actor: an id, such as ada or source:ci. since, until: when it was accepted; until: before that."""

    source: str | None = None
    type: str | None = None
    model: str | None = None
    actor: str | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None


def search(
    connection: Connection, sought: EventFilter, *, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` events with their `seq` and `state`, newest first. before: the last page's last seq."""
    query = select(*(events.c[name] for name in _ROW)).order_by(events.c.seq.desc()).limit(limit)
    for name in ("source", "type", "model", "actor"):
        if (wanted := getattr(sought, name)) is not None:
            query = query.where(events.c[name] == wanted)
    between = TimeBisect(sought.since, sought.until, before=before)
    within = between.where(connection, events.c.seq, events.c.accepted_at)
    query = query.where(*within, *_in_state(sought.state))
    found = [dict(row) for row in connection.execute(query).mappings()]
    states = _states(connection, [row["id"] for row in found])
    return [row | {"state": state_of(states.get(row["id"], set()))} for row in found]


def _states(connection: Connection, ids: Sequence[str]) -> Mapping[str, set[str]]:
    """Return the states of each event's tasks."""
    query = select(tasks.c.event_id, tasks.c.state).where(tasks.c.event_id.in_(ids))
    of_each: dict[str, set[str]] = {}
    for event_id, state in connection.execute(query) if ids else ():
        of_each.setdefault(event_id, set()).add(state)
    return of_each


def _in_state(state: str | None) -> list[ColumnElement[bool]]:
    """Match events by the worst state of their tasks (event_status.state_of)."""
    if state is None:
        return []
    if state == TaskState.SUCCEEDED:
        return [not_(_has(tasks.c.state != TaskState.SUCCEEDED))]
    if state == UNFINISHED:
        return [events.c.seq.in_(select(tasks.c.event_seq).where(is_open()))]
    which = {TaskState.DROPPED: _DROPPED, TaskState.REFUSED: _REFUSED}.get(
        TaskState(state), and_(is_failed(), tasks.c.state == state)
    )
    of_it = select(tasks.c.event_seq).where(which)
    return [
        events.c.seq.in_(of_it),
        *_without(TaskState.QUEUED, TaskState.RUNNING, *WORST_FIRST[: WORST_FIRST.index(state)]),
    ]


def _without(*states: str) -> list[ColumnElement[bool]]:
    return [not_(_has(tasks.c.state.in_(states)))]


def _has(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(and_(tasks.c.event_id == events.c.id, which))

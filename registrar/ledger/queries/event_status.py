"""The status of an event: its tasks in order, their outcomes, later interventions; and a dead letter with its event."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from registrar.events.facts import FactType
from registrar.events.states import EventState, TaskState
from registrar.events.types import PromotionApprove, PromotionReject
from registrar.ledger.dead_letters import explain_no_drop, explain_no_retry, get_dead_letter
from registrar.ledger.queries.interventions import interventions_after, resent_from
from registrar.ledger.tables import archives, events, tasks

_EVENT = ("id", "type", "model", "source", "actor", "actor_name", "occurred_at", "accepted_at", "data")
_VOTES = (PromotionApprove.type, PromotionReject.type)
# Facts of a vote's task that mean that the vote did not count.
_IN_VAIN = frozenset({FactType.PROMOTION_VOTE_REFUSED, FactType.PROMOTION_VOID, FactType.PROMOTION_EXPIRED})
# States of tasks that did not succeed.
WORST_FIRST = (TaskState.DEAD, TaskState.FAILED, TaskState.REFUSED, TaskState.DROPPED)
_FOR_INTERVENTIONS = ("seq", "delivery_id")
_TASK = ("id", "name", "state", "attempts", "not_before", "outcome", "error", "created_at", "started_at", "finished_at")


def event(connection: Connection, event_id: str) -> dict[str, Any] | None:
    """Return an event with its tasks, JSON-able except datetimes. state: unfinished, or the worst state of its tasks.

    refused: the request was refused, or the vote did not count (before schema 0014, tasks of such votes succeeded).
    settled, of a task: its retries and drops. replays: the events as which it was sent again. archived: the time at
    which its tasks were moved into an archive file, where all of them had succeeded; None: they are here.
    """
    columns = (events.c[name] for name in (*_EVENT, *_FOR_INTERVENTIONS))
    joined = events.outerjoin(archives, events.c.archive_seq == archives.c.seq)
    query = select(*columns, archives.c.started_at.label("archived")).select_from(joined)
    row = connection.execute(query.where(events.c.id == event_id)).mappings().one_or_none()
    if row is None:
        return None
    query = select(*(tasks.c[name] for name in _TASK)).where(tasks.c.event_id == event_id).order_by(tasks.c.seq)
    return described(connection, dict(row), [dict(task) for task in connection.execute(query).mappings()])


def described(connection: Connection, row: Mapping[str, Any], task_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the same for rows of the ledger or of an archive file."""
    interventions = interventions_after(connection, row)
    shown_tasks = [
        {**{name: task[name] for name in _TASK}, "settled": interventions.settled.get(task["id"], [])}
        for task in task_rows
    ]
    state = state_of({task["state"] for task in shown_tasks})
    return {
        **{name: row[name] for name in _EVENT},
        "replay_of": resent_from(connection, row),
        "replays": interventions.replays,
        "state": state,
        "refused": state == TaskState.REFUSED or _refused(row["type"], shown_tasks),
        "archived": row.get("archived"),
        "tasks": shown_tasks,
    }


def for_strangers(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a reader without a login may see: states, and no contents."""
    shown_tasks = [{"name": task["name"], "state": task["state"]} for task in event["tasks"]]
    return {**{name: event[name] for name in ("id", "type", "state", "refused")}, "tasks": shown_tasks}


def _refused(type_: str, task_rows: Iterable[Mapping[str, Any]]) -> bool:
    facts = [fact for task in task_rows for fact in (task["outcome"] or {}).get("facts", ())]
    return type_ in _VOTES and any(fact["type"] in _IN_VAIN for fact in facts)


def latest(connection: Connection, *, limit: int = 50) -> list[dict[str, Any]]:
    """Return the newest events, newest first, without tasks."""
    query = select(*(events.c[name] for name in _EVENT)).order_by(events.c.seq.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def state_of(states: set[str]) -> str:
    """Return the state of an event by the states of its tasks."""
    if states & {TaskState.QUEUED, TaskState.RUNNING}:
        return EventState.UNFINISHED
    return next((state for state in WORST_FIRST if state in states), TaskState.SUCCEEDED)


def dead_letter_detail(connection: Connection, task_id: str) -> dict[str, Any] | None:
    """Return a task in any state with its event, JSON-able except datetimes; None: there is none.

    no_retry, no_drop: why it can't be tried again or dropped; null: it can.
    """
    letter = get_dead_letter(connection, task_id)
    if letter is None:
        return None
    reasons = {"no_retry": explain_no_retry(connection, letter), "no_drop": explain_no_drop(letter)}
    return {**letter.to_json(), **reasons, "event": event(connection, letter.event_id)}

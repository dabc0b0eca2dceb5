"""What became of an event: the event itself, its tasks in order, their outcomes."""

from typing import Any

from sqlalchemy import Connection, select

from registrar.ledger.tables import events, tasks

_EVENT = ("id", "type", "model", "source", "actor", "actor_name", "occurred_at", "accepted_at", "data")
_TASK = ("id", "name", "state", "attempts", "not_before", "outcome", "error", "created_at", "started_at", "finished_at")


def event(connection: Connection, event_id: str) -> dict[str, Any] | None:
    """JSON-able but for the datetimes. state: unfinished, succeeded, failed or dead, the worst of its tasks'."""
    row = connection.execute(select(*(events.c[name] for name in _EVENT)).where(events.c.id == event_id)).one_or_none()
    if row is None:
        return None
    query = select(*(tasks.c[name] for name in _TASK)).where(tasks.c.event_id == event_id).order_by(tasks.c.seq)
    found = [dict(task) for task in connection.execute(query).mappings()]
    return {**row._mapping, "state": _state({task["state"] for task in found}), "tasks": found}


def latest(connection: Connection, *, limit: int = 50) -> list[dict[str, Any]]:
    """The newest events, newest first, without their tasks."""
    query = select(*(events.c[name] for name in _EVENT)).order_by(events.c.seq.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def _state(states: set[str]) -> str:
    if states & {"queued", "running"}:
        return "unfinished"
    return next((state for state in ("dead", "failed") if state in states), "succeeded")

"""Find the interventions after an event: retries and drops of its tasks, and events as which it was sent again.

They are found by the model, which both events are about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from registrar.events.states import TaskState
from registrar.events.types import EventReplay, TaskDrop, TaskRetry
from registrar.ledger.interventions import RESENT
from registrar.ledger.tables import events, tasks

_KINDS = (TaskRetry, TaskDrop, EventReplay)


@dataclass(frozen=True)
class Interventions:
    """Interventions after an event, oldest first. settled: retries and drops by task id. replays: the resent events."""

    settled: Mapping[str, Sequence[Mapping[str, Any]]]
    replays: Sequence[Mapping[str, Any]]


def interventions_after(connection: Connection, event: Mapping[str, Any]) -> Interventions:
    """Return the interventions that took effect. event: with its id, seq and model."""
    settled: dict[str, list[dict[str, Any]]] = {}
    replays: list[dict[str, Any]] = []
    for row in _load_interventions(connection, event):
        details = _details(row)
        if row.type != EventReplay.type:
            settled.setdefault(str(row.data["task_id"]), []).append(
                {**_describe_author(row), "was": details.get("was")}
            )
        elif row.data["event_id"] == event["id"] and "became" in details:  # of a plan nothing became
            replays.append({**_describe_author(row), "became": details["became"]})
    return Interventions(settled, replays)


def resent_from(connection: Connection, event: Mapping[str, Any]) -> str | None:
    """Return the id of the original of a resent event. event: with its id, source and delivery_id.

    The delivery id alone proves nothing, as senders choose theirs.
    """
    if not event["delivery_id"].startswith(RESENT):
        return None
    resend = and_(events.c.id == event["delivery_id"].removeprefix(RESENT), events.c.type == EventReplay.type)
    for row in connection.execute(_with_outcome().where(resend)):
        if _details(row).get("became") == event["id"]:
            return str(row.data["event_id"])
    return None


def _load_interventions(connection: Connection, event: Mapping[str, Any]) -> Iterator[Row[Any]]:
    same_model = events.c.model.is_(None) if event["model"] is None else events.c.model == event["model"]
    types = events.c.type.in_([kind.type for kind in _KINDS])
    query = _with_outcome().where(same_model, events.c.seq > event["seq"], types)
    yield from connection.execute(query.order_by(tasks.c.finished_at, events.c.seq))


def _with_outcome() -> Any:
    names = ("id", "type", "source", "actor", "actor_name", "data")
    query = select(*(events.c[name] for name in names), tasks.c.outcome, tasks.c.finished_at)
    acted = tasks.c.name.in_([kind.task for kind in _KINDS])
    return query.join(tasks, tasks.c.event_id == events.c.id).where(acted, tasks.c.state == TaskState.SUCCEEDED)


def _details(row: Row[Any]) -> Mapping[str, Any]:
    """Return the details of the task's first fact."""
    facts = (row.outcome or {}).get("facts") or [{}]
    details: Mapping[str, Any] = facts[0].get("details", {})
    return details


def _describe_author(row: Row[Any]) -> dict[str, Any]:
    author = {name: getattr(row, name) for name in ("type", "source", "actor", "actor_name")}
    return {**author, "event_id": row.id, "at": row.finished_at, "reason": row.data.get("reason")}

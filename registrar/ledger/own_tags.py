"""The tags that Registrar gave a version, by the record; other tags in MLflow were set by hand.

They are read from events and from outcomes of succeeded tasks. MLflow itself proves nothing: copies of versions keep
their tags, and anybody may set one.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from registrar.events.facts import FactType
from registrar.events.states import TaskState
from registrar.events.types import ModelVersionDescribe, PromotionRequest, TrainingRunFinished
from registrar.ledger.incarnations import CLOCKS
from registrar.ledger.tables import events, tasks
from registrar.ledger.version_state import HELD_BACK, TAG, current, states

# The newest tasks of a model that are read.
_LOOKED_AT = 200
_TASKS = (TrainingRunFinished.task, ModelVersionDescribe.task, PromotionRequest.task)


def own_tags(connection: Connection, model: str, version: int, created_at: datetime) -> dict[str, str]:
    """Return the tags by key, untruncated. created_at: when MLflow made the version."""
    tags: dict[str, str] = {}
    for row in _load_tagging_tasks(connection, model):
        # In a deleted model of that name, the number was another version's.
        if row.finished_at >= created_at - CLOCKS:
            tags |= dict(_iter_tags_of_task(row, version, created_at))
    found = states(connection, model, version=version)
    known = {state.key for state in found if state.is_of(version, created_at)}
    tags = {key: value for key, value in tags.items() if key not in known}
    return tags | {key.removeprefix(TAG): value for key, value in current(found, version, created_at).items()}


def _load_tagging_tasks(connection: Connection, model: str) -> list[Row[Any]]:
    """Return the succeeded tasks that give tags, oldest first."""
    of_events = (events.c.id.label("event_id"), events.c.data, events.c.actor_name)
    columns = (tasks.c.id, tasks.c.name, tasks.c.outcome, tasks.c.finished_at, *of_events)
    query = select(*columns).join(events, tasks.c.event_id == events.c.id)
    query = query.where(events.c.model == model, tasks.c.name.in_(_TASKS), tasks.c.state == TaskState.SUCCEEDED)
    newest = query.order_by(events.c.seq.desc(), tasks.c.seq.desc()).limit(_LOOKED_AT)
    return list(reversed(connection.execute(newest).all()))


def _iter_tags_of_task(row: Row[Any], version: int, created_at: datetime) -> Iterator[tuple[str, str]]:
    """Yield the tags that a task gave a version."""
    for fact in (row.outcome or {}).get("facts") or []:
        details: Mapping[str, Any] = fact.get("details") or {}
        if fact.get("version") != version or details.get("created_at") not in (None, created_at.isoformat()):
            continue
        if fact["type"] == FactType.MODEL_VERSION_REGISTERED:
            own = {"run": details.get("run_id"), "commit": details.get("commit"), "by": row.actor_name}
            own |= {"event": row.event_id, "task": row.id}
            yield from row.data.get("tags", {}).items()
            yield from ((f"registrar.{name}", value) for name, value in own.items() if value)
        elif fact["type"] == FactType.MODEL_VERSION_DESCRIBED:
            yield from row.data.get("tags", {}).items()
        elif fact["type"] == FactType.MODEL_VERSION_HELD_BACK:  # of an earlier release; now it is a state
            yield f"{HELD_BACK}{details['target']}", "; ".join(details["reasons"])

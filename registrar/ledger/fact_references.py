"""Which fact a notification task is about: a reference to the outcome that says it, or a copy where that may change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from registrar.events.outcome import Fact
from registrar.events.states import TaskState
from registrar.ledger.tables import tasks

COPY, TASK, NTH = "fact", "fact_of", "nth"
# Tasks that ended so are never tried again, so that their outcomes stay as they are.
_KEPT = (TaskState.SUCCEEDED, TaskState.REFUSED)


def reference(fact: Fact, *, task_id: str, nth: int, state: TaskState | None) -> dict[str, Any]:
    """Return the arguments that name a fact: the nth of a task's outcome. state: how the task ends; None: not yet."""
    return {TASK: task_id, NTH: nth} if state in _KEPT else {COPY: fact.to_json()}


def load_fact(connection: Connection, args: Mapping[str, Any]) -> Fact:
    """Return the fact that a task's arguments name. Raises LookupError where the outcome does not have it."""
    if COPY in args:
        return Fact(**args[COPY])
    outcome = connection.execute(select(tasks.c.outcome).where(tasks.c.id == args[TASK])).scalar_one_or_none()
    return Fact(**(outcome or {"facts": ()})["facts"][args[NTH]])

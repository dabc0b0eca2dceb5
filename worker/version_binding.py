"""Bind a task to the version that it is about: by its next attempt or follow-up, the number may be another version's.

A task is bound to the first version that it sees under its number, by that version's creation time.
"""

from collections.abc import Mapping
from dataclasses import replace

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import FollowUp
from registrar.ledger import tasks
from registrar.ledger.tasks import Task
from worker.context import WorkerContext
from worker.promotions.version_identity import VersionIdentityCheck

_SETTLING = frozenset({"worker.settle"})  # decides itself whether MLflow or the record counts
# About the version that has the number now, whichever that is.
_ABOUT_NOW = frozenset({"worker.observe", "worker.adopt_version"})


def identity_check(worker_context: WorkerContext, task: Task) -> VersionIdentityCheck | None:
    """Return the check for a task in a model's lane; None for others."""
    model = task.data.get("model")
    if model is None or task.lane != f"model:{model}":
        return None
    number, created_at = _version_number(task), task.args.get(tasks.BOUND_VERSION)
    return VersionIdentityCheck(
        worker_context.ledger,
        worker_context.registry(lambda: None),
        model,
        compares=task.name not in _SETTLING,
        bound=(number, created_at) if number and created_at else None,
        named=(number, task.accepted_at) if number and number == task.data.get("version") else None,
    )


def _version_number(task: Task) -> int | None:
    number: int | None = task.args.get("version", task.data.get("version"))
    return None if task.name in _ABOUT_NOW else number


def bind(task: Task, identity: VersionIdentityCheck | None) -> Task:
    """Return the task bound to the version that it saw; unchanged where it saw none, or is bound already."""
    seen = identity.seen.get((str(task.data.get("model")), _version_number(task) or 0)) if identity else None
    if seen is None or tasks.BOUND_VERSION in task.args:
        return task
    return replace(task, args={**task.args, tasks.BOUND_VERSION: seen.created_at.isoformat()})


def save_binding(worker_context: WorkerContext, task: Task, identity: VersionIdentityCheck | None) -> None:
    """Record the binding for the task's next attempt. Raises LeaseLost."""
    if (bound := bind(task, identity)) is not task:
        with worker_context.ledger.write() as connection:
            tasks.bind_version(connection, task, bound.args[tasks.BOUND_VERSION])


def bind_follow_up(step: FollowUp, task: Task, seen: Mapping[tuple[str, int], Incarnation]) -> FollowUp:
    """Return a follow-up in the task's lane bound to the version that the task saw."""
    version = seen.get((str(task.data.get("model")), step.args.get("version", 0)))
    if version is None or step.lane:
        return step
    return replace(step, args={**step.args, tasks.BOUND_VERSION: version.created_at.isoformat()})

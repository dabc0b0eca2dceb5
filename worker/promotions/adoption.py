"""Take up a version that its own training (registered_model_name=) or a person registered, once an event announces it.

It is treated as if registered here: it gets the event's tags and commit and a line in its description, and the first
target is asked for. Only once: the tag registrar.event says that an event registered it or took it up.
"""

from collections.abc import Iterator

from registrar.events.types import Registration
from worker.registry import limits
from worker.registry.protocol import Run, Version
from worker.task_context import TaskContext

_EVENT, _TASK = "registrar.event", "registrar.task"  # registered here: both tags; taken up: the first


def is_foreign(version: Version, event_id: str | None = None) -> bool:
    """Return whether no event has handled the version yet, other than this very one, cut off in the middle."""
    return _TASK not in version.tags and version.tags.get(_EVENT) in (None, event_id)


def write(context: TaskContext, data: Registration, run: Run, version: Version, commit: str | None) -> Version:
    """Write what is missing, whoever wrote the rest. Returns the version as it is then."""
    for key, value in _tags(context, data, run, commit):
        if version.tags.get(key) != value:
            context.registry.set_tag(version.model, version.version, key, value)
    line = _line(context, run, commit)
    if line not in version.description:
        text = version.description or data.description or ""
        context.registry.set_description(version.model, version.version, limits.join_description(text, line))
    return context.registry.version(version.model, version.version)


def _tags(context: TaskContext, data: Registration, run: Run, commit: str | None) -> Iterator[tuple[str, str]]:
    yield from data.tags.items()
    yield "registrar.run", run.id
    yield "registrar.by", context.actor_name
    if commit:
        yield "registrar.commit", limits.cut(commit)
    yield _EVENT, context.task.event_id


def _line(context: TaskContext, run: Run, commit: str | None) -> str:
    built = f" at commit {commit[:12]}" if commit else ""
    return f"taken up from run {run.name or run.id} ({run.id}){built} by {context.actor_name}; it was in MLflow already"

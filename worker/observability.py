"""Whoever looks at a worker sees what it is about: by the ids in its log, and by a span for each attempt."""

from contextlib import AbstractContextManager

from registrar.ledger.tasks import Task
from registrar.telemetry import log_format, tracing


def log_context(task: Task) -> AbstractContextManager[None]:
    """From its claim to its end: what is logged within says what it is about."""
    return log_format.about(
        event=task.event_id,
        task=task.id,
        lane=task.lane,
        model=_text(task.data.get("model")),
        promotion=_text(task.args.get("promotion")),
        trace=tracing.trace_of(task.event_id),
    )


def attempt_span(task: Task) -> AbstractContextManager[None]:
    """A span; an error makes it one that failed."""
    about = {"event": task.event_id, "task": task.id, "lane": task.lane, "model": task.data.get("model")}
    said = {f"registrar.{name}": str(value) for name, value in about.items() if value is not None}
    return tracing.task(task.name, task.event_id, {**said, "registrar.attempt": task.attempts})


def _text(value: object) -> str | None:
    return None if value is None else str(value)

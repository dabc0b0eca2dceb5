"""Log fields and spans that say what a worker is doing."""

from contextlib import AbstractContextManager

from registrar.ledger.tasks import Task
from registrar.telemetry import log_format, tracing


def log_context(task: Task) -> AbstractContextManager[None]:
    """Add the ids of a task to all that is logged within."""
    return log_format.log_context(
        event=task.event_id,
        task=task.id,
        lane=task.lane,
        model=_text(task.data.get("model")),
        promotion=_text(task.args.get("promotion")),
        trace=tracing.trace_of(task.event_id),
    )


def attempt_span(task: Task) -> AbstractContextManager[None]:
    """Return the span of one attempt; an error marks it as failed."""
    about = {"event": task.event_id, "task": task.id, "lane": task.lane, "model": task.data.get("model")}
    fields = {f"registrar.{name}": str(value) for name, value in about.items() if value is not None}
    return tracing.task(task.name, task.event_id, {**fields, "registrar.attempt": task.attempts})


def _text(value: object) -> str | None:
    return None if value is None else str(value)

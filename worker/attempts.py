"""When a task is given up: after which error, and after how long."""

from datetime import datetime, timedelta

from registrar.ledger.tasks import Task
from worker.door import Doubtful, Failure, Retryable

RETRY_FOR = timedelta(hours=6)  # a registry that is down for an hour is waited for
DOUBTFUL_ATTEMPTS = 10  # about 5 minutes


def end(task: Task, error: Failure, *, at: datetime) -> tuple[str, str] | None:
    """The state of a task that ends with this error, and what to say of it; None: it is tried again.

    at: when the attempt began, so that an action that asks gets the answer that the task will get.
    """
    if not isinstance(error, Retryable):
        return "failed", str(error)
    if isinstance(error, Doubtful) and task.attempts >= DOUBTFUL_ATTEMPTS:
        return "dead", f"given up after {task.attempts} attempts: {error}"
    if at - task.started_at > RETRY_FOR:
        return "dead", f"given up after {RETRY_FOR}: {error}"
    return None

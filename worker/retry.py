"""When a task is given up: after which error, and after how long.

A registry that is down keeps a lane: what comes after may need what comes before. Where it answers others, it is this
task that it can't do, whatever it says (a search that is too much for its database is a 503): then the rest of the lane
waits for minutes, and not for hours.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from registrar.events.types import VOCABULARY
from registrar.ledger.tasks import Task
from registrar.policy.document import OURSELVES
from worker.registry.protocol import AmbiguousError, Refused, RegistryError, RetryableError

RETRY_FOR = timedelta(hours=6)  # a registry that is down for an hour is waited for
AMBIGUOUS_ATTEMPTS = 10  # about 5 minutes


def failed_while_registry_answers(task: Task, error: RegistryError, answers: Callable[[], bool]) -> bool:
    """Whether an attempt failed though the registry does answer. Of what holds up no model, nobody asks."""
    if not isinstance(error, RetryableError) or isinstance(error, AmbiguousError):
        return False
    return task.of_model and answers()


def is_refused(task: Task, error: BaseException) -> bool:
    """Whether it is the mistake of whoever asked, who is told; nobody else has to look at it.

    A report about what is not there is for somebody to look at, and so is what nobody asked for and can't be: what
    follows by itself, or what the time brings.
    """
    asked = _is_event_task(task) and task.source != OURSELVES and VOCABULARY[task.event_type].asks
    return isinstance(error, Refused) and asked


def _is_event_task(task: Task) -> bool:
    """The event's own task, or the request that a move to a guarded stage becomes; not what follows from either."""
    step, said = (task.args.get("version"), task.args.get("target")), (task.data.get("version"), task.data.get("stage"))
    moves = task.event_type == "model_version.transition" and task.name == "worker.request"
    return task.first or (moves and step == said)


def final_state(
    task: Task, error: RegistryError, *, at: datetime, answers: Callable[[], bool]
) -> tuple[str, str] | None:
    """The state of a task that ends with this error, and what to say of it; None: it is tried again.

    at: when the attempt began, so that an action that asks gets the answer that the task will get. answers: whether the
    registry does, when asked something else.
    """
    if is_refused(task, error):
        return "refused", str(error)
    if not isinstance(error, RetryableError):
        return "failed", str(error)
    if isinstance(error, AmbiguousError) and task.attempts >= AMBIGUOUS_ATTEMPTS:
        return "dead", f"given up after {task.attempts} attempts: {error}"
    if task.doubts + 1 >= AMBIGUOUS_ATTEMPTS and failed_while_registry_answers(task, error, answers):
        said = f"given up after {task.attempts} attempts; the registry answered others meanwhile"
        return "dead", f"{said}: {error}"
    if at - task.started_at > RETRY_FOR:
        return "dead", f"given up after {RETRY_FOR}: {error}"
    return None

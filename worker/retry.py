"""Decide whether and when a failed task is tried again, and when it is given up; retry writes to an unavailable ledger.

worker/attempt.py asks this; worker/registry/errors.py says which errors of MLflow are retryable.

While the registry is down, a lane waits for hours: later tasks may need earlier ones. If the registry answers other
calls, the fault is this task's, whatever the error (a search too heavy for its database is a 503): then the lane waits
minutes only.
"""

import logging
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import sleep
from typing import TypeVar

from registrar.events.states import TaskState
from registrar.events.types import VOCABULARY, ModelVersionTransition
from registrar.ledger import LedgerUnavailable
from registrar.ledger.tasks import Task
from registrar.policy.document import OURSELVES
from worker.registry.protocol import AmbiguousError, Refused, RegistryError, RetryableError

Written = TypeVar("Written")

log = logging.getLogger(__name__)

# Seconds between writes to an unavailable ledger: the first pause and the longest, and when to give up.
LEDGER_FIRST_PAUSE, LEDGER_LONGEST_PAUSE, LEDGER_GIVE_UP_AFTER = 0.1, 5.0, 1800.0
LONGEST_PAUSE = 60.0  # seconds between attempts at a task
RETRY_FOR = timedelta(hours=6)  # an outage of an hour must lose nothing
AMBIGUOUS_ATTEMPTS = 10  # with pauses, two to four minutes
# How long the registry must fail a task alone: one that comes and goes for minutes fails ten attempts, too, by chance.
DOUBTED_FOR = timedelta(minutes=10)


def failed_while_registry_answers(task: Task, error: RegistryError, answers: Callable[[], bool]) -> bool:
    """Return whether an attempt failed though the registry answers another call; False for tasks outside a model's
    lane.
    """
    if not isinstance(error, RetryableError) or isinstance(error, AmbiguousError):
        return False
    return task.of_model and answers()


def is_refused(task: Task, error: BaseException) -> bool:
    """Return whether the error is the requester's mistake: the answer goes to them, and nobody else has to act.

    It is not for a report (of something that does not exist, say), a follow-up, or an event of the scheduler: somebody
    else has to look at these.
    """
    is_request = _is_event_task(task) and task.source != OURSELVES and VOCABULARY[task.event_type].asks
    return isinstance(error, Refused) and is_request


def _is_event_task(task: Task) -> bool:
    """Return whether this is the event's own task, or the request that a transition to a guarded stage turns into."""
    if task.event_type != ModelVersionTransition.type or task.name != "worker.request":
        return task.first
    step = (task.args.get("version"), task.args.get("target"))
    return task.first or step == (task.data.get("version"), task.data.get("stage"))


def final_state(
    task: Task, error: RegistryError, *, at: datetime, answers: Callable[[], bool]
) -> tuple[TaskState, str] | None:
    """Return the state in which a task ends with this error, and the reason; None where it is tried again.

    at: when the attempt began; so an action that calls this gets the same answer as its task later. answers: tells
    whether the registry answers another call.
    """
    if is_refused(task, error):
        return TaskState.REFUSED, str(error)
    if not isinstance(error, RetryableError):
        return TaskState.FAILED, str(error)
    if isinstance(error, AmbiguousError) and task.attempts >= AMBIGUOUS_ATTEMPTS:
        return TaskState.DEAD, f"given up after {task.attempts} attempts: {error}"
    doubted = task.doubts + 1 >= AMBIGUOUS_ATTEMPTS and at - task.started_at > DOUBTED_FOR
    if doubted and failed_while_registry_answers(task, error, answers):
        reason = f"given up after {task.attempts} attempts; the registry answered others meanwhile"
        return TaskState.DEAD, f"{reason}: {error}"
    if at - task.started_at > RETRY_FOR:
        return TaskState.DEAD, f"given up after {RETRY_FOR}: {error}"
    return None


def pause(attempts: int, after: float | None = None) -> float:
    """Return the seconds until the next attempt: up to 1, 2, 4 ... 60, of which half is random.

    after: what the other side asked for. It counts where it is longer, up to 60 s.
    """
    longest = min(LONGEST_PAUSE, 2.0 ** min(attempts - 1, 10))
    return max(min(after or 0.0, LONGEST_PAUSE), longest * random.uniform(0.5, 1.0))  # noqa: S311 (no secret)


def parse_retry_after(value: str, *, at: datetime) -> float | None:
    """Return the seconds that a Retry-After value names, itself or by a date; None where it is neither. at: aware."""
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - at).total_seconds())
    except (ValueError, TypeError, IndexError):
        return None


def retry_while_unavailable(write: Callable[[], Written]) -> Written:
    """Call write until the ledger is available. Raises LedgerUnavailable after half an hour.

    Raises LeaseLost where another worker has the task by then, or where an earlier write succeeded and only its answer
    was lost.
    """
    delay, waited = LEDGER_FIRST_PAUSE, 0.0
    while True:
        try:
            return write()
        except LedgerUnavailable as error:
            if waited >= LEDGER_GIVE_UP_AFTER:
                raise
            log.warning("the ledger %s (%s); trying again in %g s", error.reason, error, delay)
        sleep(delay)
        waited, delay = waited + delay, min(2 * delay, LEDGER_LONGEST_PAUSE)

"""Decide when a task is given up: after which error, and after how long. And wait for a ledger that is away.

While the registry is down, a lane waits: later tasks may need earlier ones. Where it answers other calls, the fault is
this task's, whatever the error (a search that is too much for its database is a 503): the lane then waits minutes, not
hours.
"""

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import sleep
from typing import TypeVar

from registrar.events.types import VOCABULARY
from registrar.ledger import LedgerUnavailable
from registrar.ledger.tasks import Task
from registrar.policy.document import OURSELVES
from worker.registry.protocol import AmbiguousError, Refused, RegistryError, RetryableError

Written = TypeVar("Written")

log = logging.getLogger(__name__)

# Seconds, for a ledger that is away: the first pause, the longest, and all together.
LEDGER_FIRST_PAUSE, LEDGER_LONGEST_PAUSE, LEDGER_GIVE_UP_AFTER = 0.1, 5.0, 1800.0
RETRY_FOR = timedelta(hours=6)  # an outage of an hour must lose nothing
AMBIGUOUS_ATTEMPTS = 10  # with pauses, about 5 minutes


def failed_while_registry_answers(task: Task, error: RegistryError, answers: Callable[[], bool]) -> bool:
    """Return whether an attempt failed though the registry answers. Only asked of tasks that block a model's lane."""
    if not isinstance(error, RetryableError) or isinstance(error, AmbiguousError):
        return False
    return task.of_model and answers()


def is_refused(task: Task, error: BaseException) -> bool:
    """Return whether the error is the requester's mistake: they are told, and nobody else has to act.

    A report about something that does not exist needs somebody to look, and so does a follow-up or an event of the
    clock.
    """
    asked = _is_event_task(task) and task.source != OURSELVES and VOCABULARY[task.event_type].asks
    return isinstance(error, Refused) and asked


def _is_event_task(task: Task) -> bool:
    """Return whether it is the event's own task, or the request that a move to a guarded stage turns into."""
    step, requested = (
        (task.args.get("version"), task.args.get("target")),
        (task.data.get("version"), task.data.get("stage")),
    )
    moves = task.event_type == "model_version.transition" and task.name == "worker.request"
    return task.first or (moves and step == requested)


def final_state(
    task: Task, error: RegistryError, *, at: datetime, answers: Callable[[], bool]
) -> tuple[str, str] | None:
    """Return the state of a task that ends with this error, and the reason; None: it is tried again.

    at: when the attempt began, so that an action that asks gets the same answer as its task. answers: whether the
    registry answers another call.
    """
    if is_refused(task, error):
        return "refused", str(error)
    if not isinstance(error, RetryableError):
        return "failed", str(error)
    if isinstance(error, AmbiguousError) and task.attempts >= AMBIGUOUS_ATTEMPTS:
        return "dead", f"given up after {task.attempts} attempts: {error}"
    if task.doubts + 1 >= AMBIGUOUS_ATTEMPTS and failed_while_registry_answers(task, error, answers):
        reason = f"given up after {task.attempts} attempts; the registry answered others meanwhile"
        return "dead", f"{reason}: {error}"
    if at - task.started_at > RETRY_FOR:
        return "dead", f"given up after {RETRY_FOR}: {error}"
    return None


def parse_retry_after(value: str, *, at: datetime) -> float | None:
    """Return the seconds that a value (seconds or a date) asks for; None where it can't be read. at: now, aware."""
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - at).total_seconds())
    except (ValueError, TypeError, IndexError):
        return None


def retry_while_unavailable(write: Callable[[], Written]) -> Written:
    """Call write until the ledger takes it. Raises LedgerUnavailable after half an hour.

    The lease is renewed in the background meanwhile, or another worker gets the task (LeaseLost). A write that
    succeeded though its answer was lost raises LeaseLost too.
    """
    pause, waited = LEDGER_FIRST_PAUSE, 0.0
    while True:
        try:
            return write()
        except LedgerUnavailable as error:
            if waited >= LEDGER_GIVE_UP_AFTER:
                raise
            log.warning("the ledger %s (%s); trying again in %g s", error.reason, error, pause)
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LEDGER_LONGEST_PAUSE)

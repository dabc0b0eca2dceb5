"""Run one attempt at a task: its action, then the outcome, a retry or a final error in one commit."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import cast

from registrar.broker.celery_app import publish
from registrar.broker.task_message import TaskMessage
from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.states import PromotionState, TaskState
from registrar.ledger import Connection, LedgerUnavailable, tasks
from registrar.ledger.interventions import TaskAlreadyRunning
from registrar.ledger.promotions import PromotionStateChanged
from registrar.ledger.tasks import LeaseLost, Task
from registrar.plugins import load
from worker import observability, retry, suggestions, version_binding
from worker.actions import Action
from worker.context import WorkerContext
from worker.downloads import LONG
from worker.lease import Lease
from worker.notifications import routing
from worker.promotions import deployment_gate_response
from worker.promotions.version_identity import VersionChanged, VersionIdentityCheck, checked_registry
from worker.registry.protocol import Refused, RegistryError, RetryableError
from worker.registry.recent_reads import RecentReads, recording, reusing
from worker.retry import pause, retry_while_unavailable
from worker.task_context import TaskContext

log = logging.getLogger(__name__)

# Tasks that only notify: nobody is notified of their failure, and it ends no promotion.
_NOTIFYING = frozenset({"worker.notify", "worker.reply", "worker.edit_card"})
_MAX_RESTARTS = 10  # of one attempt, each because a version that it read was replaced
UNEXPECTED_ATTEMPTS = 5  # an unexpected error is more likely ours than the registry's
_FAILURES = {
    TaskState.REFUSED: FactType.TASK_REFUSED,
    TaskState.FAILED: FactType.TASK_FAILED,
    TaskState.DEAD: FactType.TASK_DEAD,
}


@dataclass(frozen=True)
class Ended:
    """What follows of an attempt. task_messages: to publish. following: the next task, claimed by this worker."""

    task_messages: list[TaskMessage]
    following: Task | None = None


def run(worker_context: WorkerContext, verb: str, task: Task, reads: RecentReads | None = None) -> Ended:
    """Run the action of a claimed task and record what came of it. Raises LeaseLost.

    reads: what the event's tasks before this one have read or written here. An attempt after a failed one reads anew.
    """
    reads = reads if reads and task.attempts == 1 else RecentReads()
    with Lease(worker_context.ledger, task, worker_context.shutdown) as lease:
        if task.crashes >= tasks.MAX_CRASHES:
            reason = f"its worker died {task.crashes} times while running it"
            return _give_up(worker_context, task, TaskState.DEAD, reason)
        context = _task_context(worker_context, task, lease.renew)
        try:
            with observability.attempt_span(task):
                outcome = observability.count_attempt(
                    task, partial(_run_action, worker_context, verb, task, lease, reads)
                )
            state = TaskState.REFUSED if outcome.refused else TaskState.SUCCEEDED
            ended = _finish(worker_context, task, state, outcome)
        except LeaseLost:
            raise
        except LedgerUnavailable as error:  # not the task's fault, so it is never given up for this
            return _retry(worker_context, task, f"the ledger {error.reason}", pause(1))
        except TaskAlreadyRunning as error:
            return _retry(worker_context, task, str(error), pause(1))
        except RegistryError as error:
            return _handle_failure(worker_context, context, error)
        except Exception as error:  # Celery's one handler: a bug must neither lose the task nor block its lane
            log.exception("%s %s: unexpected error", verb, task.id)
            return _handle_unexpected(worker_context, task, error)
        log.info("%s %s: %s", verb, task.id, outcome.summary)
        return ended


def _run_action(worker_context: WorkerContext, verb: str, task: Task, lease: Lease, reads: RecentReads) -> Outcome:
    """Run the action on a registry that compares each version with the record (worker/promotions/version_identity.py).

    Where a version was replaced by another of its number, the action starts again: as a further attempt, if it wrote
    anything. Raises RegistryError.
    """
    restarts_after_write = 0
    for _ in range(_MAX_RESTARTS):
        identity = version_binding.identity_check(worker_context, task)
        current = replace(task, attempts=task.attempts + restarts_after_write)
        context = _task_context(worker_context, current, lease.renew, identity, reads)
        try:
            outcome = cast("Action", load("worker.actions", verb)).act(context)
            return replace(outcome, seen=identity.seen if identity else {})
        except VersionChanged as change:
            reads.clear()
            _record_change(worker_context, task, change.outcome)
            restarts_after_write += bool(identity and identity.wrote)
            task = version_binding.bind(task, identity)
        except RegistryError:
            version_binding.save_binding(worker_context, task, identity)
            raise
    raise RetryableError(f"{task.data.get('model')} is made anew again and again in MLflow")


def _record_change(worker_context: WorkerContext, task: Task, change: Outcome) -> None:
    """Record that versions were replaced, and notify, before the task goes on or is retried. Raises LeaseLost."""
    at = worker_context.now()
    log.warning("%s %s: %s", task.name, task.id, change.summary)
    responses = deployment_gate_response.responses(
        worker_context.ledger, worker_context.encryptor, task, TaskState.SUCCEEDED, change, others=True
    )
    notifications = routing.notification_tasks(
        worker_context.ledger, worker_context.policy, change, task=task, state=None, at=at
    )
    complete = replace(change, follow_ups=(*notifications, *responses))

    def write() -> list[TaskMessage]:
        with worker_context.ledger.write() as connection:
            return tasks.record_discovery(connection, task, complete, at=at)

    publish(worker_context.app, retry_while_unavailable(write))


def _task_context(
    worker_context: WorkerContext,
    task: Task,
    before_write: Callable[[], None],
    identity: VersionIdentityCheck | None = None,
    reads: RecentReads | None = None,
) -> TaskContext:
    def check() -> None:
        if identity:
            identity.before_write()
        before_write()

    reads = reads or RecentReads()
    registry = recording(worker_context.registry(check), reads)
    recent = reusing(registry, reads)
    return TaskContext(
        task=task,
        registry=checked_registry(registry, identity) if identity else registry,
        recent_registry=checked_registry(recent, identity) if identity else recent,
        unchecked_registry=registry,
        ledger=worker_context.ledger,
        policy=worker_context.policy,
        settings=worker_context.settings,
        encryptor=worker_context.encryptor,
        http=worker_context.http,
        now=worker_context.now(),
    )


def _handle_failure(worker_context: WorkerContext, context: TaskContext, error: RegistryError) -> Ended:
    if isinstance(error, Refused):
        may_name = suggestions.nameable(context.policy, context.task.source, context.task.event_type)
        named = {**context.task.data, **context.task.args}
        error = suggestions.explain(error, context.registry, named, may_name=may_name)
    if final := retry.final_state(context.task, error, at=context.now, answers=context.registry_answers):
        state, reason = final
        return _give_up(worker_context, context.task, state, worker_context.redact(reason))
    after = error.after if isinstance(error, RetryableError) else None
    doubted = retry.failed_while_registry_answers(context.task, error, context.registry_answers)
    delay = pause(context.task.attempts, after)
    return _retry(worker_context, context.task, worker_context.redact(str(error)), delay, doubted=doubted)


def _handle_unexpected(worker_context: WorkerContext, task: Task, error: Exception) -> Ended:
    message = f"unexpected {type(error).__name__}; the worker's log has the details"
    if task.attempts >= UNEXPECTED_ATTEMPTS:
        return _give_up(worker_context, task, TaskState.DEAD, message)
    return _retry(worker_context, task, message, pause(task.attempts))


def _retry(worker_context: WorkerContext, task: Task, error: str, delay: float, *, doubted: bool = False) -> Ended:
    log.warning("%s %s: %s; again in %.0f s", task.name, task.id, error, delay)

    def requeue() -> list[TaskMessage]:
        with worker_context.ledger.write() as connection:
            return tasks.retry(connection, task, delay=delay, error=error, at=worker_context.now(), doubted=doubted)

    return Ended(retry_while_unavailable(requeue))


def _give_up(worker_context: WorkerContext, task: Task, state: TaskState, error: str) -> Ended:
    """Record a final error and notify; a promotion that was under way fails with it."""
    level = logging.INFO if state == TaskState.REFUSED else logging.ERROR
    log.log(level, "%s %s: %s: %s", task.name, task.id, state, error)
    outcome = Outcome(error) if task.name in _NOTIFYING else _failure_outcome(task, state, error)
    return _finish(worker_context, task, state, outcome, error=error)


def _failure_outcome(task: Task, state: TaskState, error: str) -> Outcome:
    promotion = task.args.get("promotion")
    what = f"{task.event_type} by {task.actor_name}"
    if task.name == "worker.answer_github_protection_rule":  # the event's own task succeeded
        what = f"the answer to a deployment that waits for the end of {what}"
    text = f"{what} {'was refused' if state == TaskState.REFUSED else 'could not be done'}: {error}"
    about = {"promotion": promotion} if promotion else {}
    details = {"task": task.id, "event": task.event_id, **about}
    fact = Fact(_FAILURES[state], text, task.data.get("model"), task.args.get("version"), details)
    records = (PromotionStateChanged(promotion, PromotionState.FAILED, error),) if promotion else ()
    return Outcome(summary=error, facts=(fact,), records=records)


def _finish(
    worker_context: WorkerContext, task: Task, state: TaskState, outcome: Outcome, *, error: str | None = None
) -> Ended:
    at: datetime = worker_context.now()
    replies = routing.reply_tasks(worker_context.encryptor, task, outcome.summary)

    def end() -> Ended:
        notifications = routing.notification_tasks(
            worker_context.ledger, worker_context.policy, outcome, task=task, state=state, at=at
        )
        responses = deployment_gate_response.responses(
            worker_context.ledger, worker_context.encryptor, task, state, outcome
        )
        steps = (version_binding.bind_follow_up(step, task, outcome.seen) for step in outcome.follow_ups)
        complete = replace(outcome, follow_ups=(*steps, *notifications, *replies, *responses))
        with worker_context.ledger.write() as connection:
            task_messages = tasks.finish(connection, task, state, complete, error=error, at=at)
            return _claim_following(worker_context, connection, task, task_messages)

    return retry_while_unavailable(end)


def _claim_following(
    worker_context: WorkerContext, connection: Connection, task: Task, task_messages: list[TaskMessage]
) -> Ended:
    """Claim the next task of the same event and lane for this worker, unless it stops; it needs no message then."""
    own = (one for one in task_messages if (one.event_id, one.lane) == (task.event_id, task.lane))
    following = next((one for one in own if one.name not in LONG), None)
    if following is None or worker_context.shutdown.begun:
        return Ended(task_messages)
    claimed = tasks.claim(connection, following.task_id, at=worker_context.now())
    return Ended([one for one in task_messages if claimed is None or one is not following], claimed)

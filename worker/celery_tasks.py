"""Run tasks for Celery: claim one, run its action, record the outcome, retry or give up."""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import cast

from celery.signals import worker_ready

from registrar.broker.celery_app import PUBLISH_BATCH, TaskMessage, publish
from registrar.events.facts import FactType
from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger import LedgerUnavailable, tasks
from registrar.ledger.interventions import TaskAlreadyRunning
from registrar.ledger.promotions import PromotionStateChanged
from registrar.ledger.tasks import LeaseLost, Task
from registrar.plugins import kinds, load
from worker import dispatcher, metrics, observability, retry
from worker.actions import Action
from worker.context import WorkerContext
from worker.downloads import LONG
from worker.lease import Lease
from worker.notifications import routing
from worker.notifications.routing import notification_tasks
from worker.promotions import deployment_gate_response
from worker.promotions.version_identity import VersionChanged, VersionIdentityCheck, checked_registry
from worker.registry.protocol import RegistryError, RetryableError
from worker.retry import retry_while_unavailable
from worker.shutdown import TaskReleased
from worker.task_context import TaskContext

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
# Tasks that only notify: their failure is notified to nobody, and ends no promotion.
_TELLING = frozenset({"worker.notify", "worker.reply", "worker.edit_card"})
_SETTLING = frozenset({"worker.settle"})  # decides itself whether MLflow or the record counts
_OF_THE_PRESENT = frozenset({"worker.observe"})
_MOST_RESTARTS = 10  # of one attempt, each because a version that it read was replaced
UNEXPECTED_ATTEMPTS = 5  # an unexpected error is more likely ours than the registry's


def install(worker_context: WorkerContext) -> None:
    """Register one Celery task per action, named worker.<file name>, and those of the clock."""
    entries: dict[str, Callable[..., None]] = {
        f"worker.{verb}": _entry(worker_context, verb) for verb in kinds("worker.actions")
    }

    def redeliver(**_: object) -> None:
        dispatcher.sweep(worker_context)

    def run_scheduler() -> None:
        dispatcher.tick(worker_context)

    def publish_each(task_messages: list[list[str]]) -> None:
        dispatcher.publish_batch(worker_context, [TaskMessage(task_id, name) for task_id, name in task_messages])

    entries |= {PUBLISH_BATCH: publish_each, "worker.sweep": redeliver, "worker.tick": run_scheduler}
    # Messages of the former names may still be in the broker after an upgrade.
    entries |= {old: entries[new] for old, new in tasks.FORMER_NAMES.items()}
    for name, entry in entries.items():
        worker_context.app.task(name=name)(entry)
    worker_ready.connect(redeliver, weak=False)


def _entry(worker_context: WorkerContext, verb: str) -> Callable[[str], None]:
    def run(task_id: str) -> None:
        run_task(worker_context, verb, task_id)

    run.__name__ = verb
    return _limit_downloads(worker_context, run) if f"worker.{verb}" in LONG else run


def _limit_downloads(worker_context: WorkerContext, run: Callable[[str], None]) -> Callable[[str], None]:
    """Run a long download only where one of the few places for them is free; afterwards, publish the next one."""

    def download(task_id: str) -> None:
        with worker_context.downloads.place() as found:
            if found:
                run(task_id)
        if found:
            dispatcher.publish_next(worker_context, LONG)

    download.__name__ = run.__name__
    return download


def run_task(worker_context: WorkerContext, verb: str, task_id: str) -> None:
    """Claim a task and run it. A task that can't be claimed is done, or another worker has it."""
    try:
        with worker_context.ledger.write() as connection:
            task = tasks.claim(connection, task_id, at=worker_context.now())
    except LedgerUnavailable as error:
        log.warning(
            "%s %s: not started, the sweep publishes it again: the ledger %s (%s)", verb, task_id, error.reason, error
        )
        return
    if task is None:
        log.debug("%s %s: nothing to claim", verb, task_id)
        return
    with observability.log_context(task):
        _attempt(worker_context, verb, task)


def _attempt(worker_context: WorkerContext, verb: str, task: Task) -> None:
    try:
        task_messages = _complete(worker_context, verb, task)
    except TaskReleased:
        release_task(worker_context, task)
        return
    except LeaseLost:
        log.warning("%s %s: its lease went to another worker, which finishes it", verb, task.id)
        return
    publish(worker_context.app, task_messages)


def release_task(worker_context: WorkerContext, task: Task) -> None:
    """Give a task back while this worker stops, for another to take at once; without the ledger, when its lease
    ends.
    """
    try:
        with worker_context.ledger.write() as connection:
            task_messages = tasks.release(connection, task, at=worker_context.now())
    except LedgerUnavailable as error:
        log.warning("%s %s: not released: the ledger %s (%s)", task.name, task.id, error.reason, error)
        return
    log.info("%s %s: released", task.name, task.id)
    publish(worker_context.app, task_messages)


def _complete(worker_context: WorkerContext, verb: str, task: Task) -> list[TaskMessage]:
    """Run the action and record its outcome. Raises LeaseLost."""
    with Lease(worker_context.ledger, task, worker_context.closing) as lease:
        if task.crashes >= tasks.MAX_CRASHES:
            return _give_up(worker_context, task, "dead", f"its worker died {task.crashes} times while running it")
        context = _task_context(worker_context, task, lease.renew)
        try:
            with observability.attempt_span(task):
                outcome = metrics.attempt(task, partial(_run_action, worker_context, verb, task, lease))
            task_messages = _finish(worker_context, task, "refused" if outcome.refused else "succeeded", outcome)
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
        return task_messages


def _run_action(worker_context: WorkerContext, verb: str, task: Task, lease: Lease) -> Outcome:
    """Run the action on a registry that compares each version with the record (worker/promotions/version_identity.py).

    Where a version turns out to be another one, the action starts again: if something was written, as a further
    attempt. Raises RegistryError.
    """
    written = 0
    for _ in range(_MOST_RESTARTS):
        identity = _identity_check(worker_context, task)
        context = _task_context(worker_context, replace(task, attempts=task.attempts + written), lease.renew, identity)
        try:
            outcome = cast("Action", load("worker.actions", verb)).act(context)
            return replace(outcome, seen=identity.seen if identity else {})
        except VersionChanged as found:
            _record_change(worker_context, task, found.outcome)
            written += bool(identity and identity.wrote)
            task = _bind_version(task, identity)
        except RegistryError:
            _save_binding(worker_context, task, identity)
            raise
    raise RetryableError(f"{task.data.get('model')} is made anew again and again in MLflow")


def _identity_check(worker_context: WorkerContext, task: Task) -> VersionIdentityCheck | None:
    """Return the check for a task in a model's lane; None for others."""
    model = task.data.get("model")
    if model is None or task.lane != f"model:{model}":
        return None
    inner = worker_context.registry(lambda: None)
    number, made = _version_number(task), task.args.get(tasks.BOUND_VERSION)
    meant = (number, made) if number and made else None
    said = (number, task.accepted_at) if number and number == task.data.get("version") else None
    return VersionIdentityCheck(
        worker_context.ledger, inner, model, judging=task.name not in _SETTLING, meant=meant, said=said
    )


def _version_number(task: Task) -> int | None:
    """Return the number of the version that a task is about; None where it is about whatever is there now."""
    found: int | None = task.args.get("version", task.data.get("version"))
    return None if task.name in _OF_THE_PRESENT else found


def _bind_version(task: Task, identity: VersionIdentityCheck | None) -> Task:
    """Bind a task to the version that it saw under its number; unchanged where it saw none, or is bound."""
    seen = identity.seen.get((str(task.data.get("model")), _version_number(task) or 0)) if identity else None
    if seen is None or tasks.BOUND_VERSION in task.args:
        return task
    return replace(task, args={**task.args, tasks.BOUND_VERSION: seen.created_at.isoformat()})


def _save_binding(worker_context: WorkerContext, task: Task, identity: VersionIdentityCheck | None) -> None:
    """Keep the version that a task is about, for its next attempt: by then, its number may be another's.

    Raises LeaseLost.
    """
    if (bound := _bind_version(task, identity)) is not task:
        with worker_context.ledger.write() as connection:
            tasks.bind_version(connection, task, bound.args[tasks.BOUND_VERSION])


def _bind_follow_up(step: FollowUp, task: Task, seen: Mapping[tuple[str, int], Incarnation]) -> FollowUp:
    """Bind a follow-up to the version that the task saw: by its turn, the number may be another's."""
    which = seen.get((str(task.data.get("model")), step.args.get("version", 0)))
    return (
        replace(step, args={**step.args, tasks.BOUND_VERSION: which.created_at.isoformat()})
        if which and not step.lane
        else step
    )


def _record_change(worker_context: WorkerContext, task: Task, found: Outcome) -> None:
    """Record that versions were replaced, and notify, before the task goes on or is retried. Raises LeaseLost."""
    at = worker_context.now()
    log.warning("%s %s: %s", task.name, task.id, found.summary)
    answers = deployment_gate_response.responses(
        worker_context.ledger, worker_context.encryptor, task, "succeeded", found, others=True
    )
    complete = Outcome(
        found.summary, found.facts, (*notification_tasks(worker_context.policy, found, at=at), *answers), found.records
    )

    def write() -> list[TaskMessage]:
        with worker_context.ledger.write() as connection:
            return tasks.record_discovery(connection, task, complete, at=at)

    publish(worker_context.app, retry_while_unavailable(write))


def _task_context(
    worker_context: WorkerContext,
    task: Task,
    before_write: Callable[[], None],
    identity: VersionIdentityCheck | None = None,
) -> TaskContext:
    def check() -> None:
        if identity:
            identity.before_write()
        before_write()

    registry = worker_context.registry(check)
    return TaskContext(
        task=task,
        registry=checked_registry(registry, identity) if identity else registry,
        unseen=registry,
        ledger=worker_context.ledger,
        policy=worker_context.policy,
        settings=worker_context.settings,
        encryptor=worker_context.encryptor,
        http=worker_context.http,
        now=worker_context.now(),
    )


def _handle_failure(worker_context: WorkerContext, context: TaskContext, error: RegistryError) -> list[TaskMessage]:
    if ended := retry.final_state(context.task, error, at=context.now, answers=context.registry_answers):
        state, reason = ended
        return _give_up(worker_context, context.task, state, worker_context.redact(reason))
    asked = error.after if isinstance(error, RetryableError) else None
    doubted = retry.failed_while_registry_answers(context.task, error, context.registry_answers)
    return _retry(
        worker_context,
        context.task,
        worker_context.redact(str(error)),
        pause(context.task.attempts, asked),
        doubted=doubted,
    )


def _handle_unexpected(worker_context: WorkerContext, task: Task, error: Exception) -> list[TaskMessage]:
    message = f"unexpected {type(error).__name__}; the worker's log has the details"
    if task.attempts >= UNEXPECTED_ATTEMPTS:
        return _give_up(worker_context, task, "dead", message)
    return _retry(worker_context, task, message, pause(task.attempts))


def pause(attempts: int, asked: float | None = None) -> float:
    """Return the seconds until the next attempt: 1, 2, 4 ... 60, of which half is random; or what the other side
    asked for, if that is longer.
    """
    longest = min(LONGEST_PAUSE, 2.0 ** min(attempts - 1, 10))
    return max(min(asked or 0.0, LONGEST_PAUSE), longest * random.uniform(0.5, 1.0))  # noqa: S311 (no secret)


def _retry(
    worker_context: WorkerContext, task: Task, error: str, delay: float, *, doubted: bool = False
) -> list[TaskMessage]:
    log.warning("%s %s: %s; again in %.0f s", task.name, task.id, error, delay)

    def requeue() -> list[TaskMessage]:
        with worker_context.ledger.write() as connection:
            return tasks.retry(connection, task, delay=delay, error=error, at=worker_context.now(), doubted=doubted)

    return retry_while_unavailable(requeue)


def _give_up(worker_context: WorkerContext, task: Task, state: str, error: str) -> list[TaskMessage]:
    """Record a final error and notify; a promotion that was under way fails with it."""
    log.log(logging.INFO if state == "refused" else logging.ERROR, "%s %s: %s: %s", task.name, task.id, state, error)
    outcome = Outcome(error) if task.name in _TELLING else _failure_outcome(task, state, error)
    return _finish(worker_context, task, state, outcome, error=error)


def _failure_outcome(task: Task, state: str, error: str) -> Outcome:
    promotion = task.args.get("promotion")
    what = f"{task.event_type} by {task.actor_name}"
    if task.name == "worker.answer_github_protection_rule":  # the event's own task succeeded
        what = f"the answer to a deployment that waits for the end of {what}"
    text = f"{what} {'was refused' if state == 'refused' else 'could not be done'}: {error}"
    about = {"promotion": promotion} if promotion else {}
    details = {"task": task.id, "event": task.event_id, **about}
    fact = Fact(FactType(f"task.{state}"), text, task.data.get("model"), task.args.get("version"), details)
    records = (PromotionStateChanged(promotion, "failed", error),) if promotion else ()
    return Outcome(summary=error, facts=(fact,), records=records)


def _finish(
    worker_context: WorkerContext, task: Task, state: str, outcome: Outcome, *, error: str | None = None
) -> list[TaskMessage]:
    at: datetime = worker_context.now()
    notes = (
        *notification_tasks(worker_context.policy, outcome, at=at),
        *routing.reply_tasks(worker_context.encryptor, task, outcome.summary),
    )

    def end() -> list[TaskMessage]:
        answers = deployment_gate_response.responses(
            worker_context.ledger, worker_context.encryptor, task, state, outcome
        )
        steps = (_bind_follow_up(step, task, outcome.seen) for step in outcome.follow_ups)
        complete = replace(outcome, follow_ups=(*steps, *notes, *answers))
        with worker_context.ledger.write() as connection:
            return tasks.finish(connection, task, state, complete, error=error, at=at)

    return retry_while_unavailable(end)

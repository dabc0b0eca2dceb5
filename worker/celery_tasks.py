"""The Celery tasks: one per action, named worker.<file name>, each claims its task and runs an attempt at it.

A worker that ends a task claims the next one of the same event and lane in the same commit, and runs it without a
message: that saves most of the time between them, and what was read from MLflow moments ago need not be read again.
"""

import logging
from collections.abc import Callable
from contextlib import nullcontext

from celery.signals import worker_ready

from registrar.broker.celery_app import PUBLISH_BATCH, publish
from registrar.broker.task_message import TaskMessage
from registrar.ledger import LedgerUnavailable, tasks
from registrar.ledger.tasks import LeaseLost, Task
from registrar.plugins import kinds
from worker import attempt, dispatcher, observability, registry_poll
from worker.context import WorkerContext
from worker.downloads import LONG
from worker.registry.recent_reads import RecentReads
from worker.shutdown import TaskReleased
from worker.task_events import task_events

log = logging.getLogger(__name__)


def install(worker_context: WorkerContext) -> None:
    """Register one Celery task per action, and those that beat triggers."""
    entries: dict[str, Callable[..., None]] = {
        f"worker.{verb}": _entry(worker_context, verb) for verb in kinds("worker.actions")
    }

    def redeliver(**_: object) -> None:
        dispatcher.sweep(worker_context)

    def run_scheduler() -> None:
        dispatcher.tick(worker_context)

    def publish_each(task_messages: list[list[str]]) -> None:
        dispatcher.publish_batch(worker_context, [TaskMessage(task_id, name) for task_id, name in task_messages])

    def poll_registry(_: str) -> None:
        registry_poll.poll(worker_context)

    entries |= {PUBLISH_BATCH: publish_each, "worker.sweep": redeliver, "worker.tick": run_scheduler}
    entries |= {registry_poll.NAME: poll_registry}
    # Messages of the former names may still be in the broker after an upgrade.
    entries |= {old: entries[new] for old, new in tasks.FORMER_NAMES.items()}
    for name, entry in entries.items():
        worker_context.app.task(name=name)(entry)
    worker_ready.connect(redeliver, weak=False)


def _entry(worker_context: WorkerContext, verb: str) -> Callable[[str], None]:
    def run(task_id: str) -> None:
        run_chain(worker_context, TaskMessage(task_id, f"worker.{verb}"))

    run.__name__ = verb
    return _limit_downloads(worker_context, run) if f"worker.{verb}" in LONG else run


def _limit_downloads(worker_context: WorkerContext, run: Callable[[str], None]) -> Callable[[str], None]:
    """Return an entry that runs a long download only where a download slot is free, and then publishes the next one."""

    def download(task_id: str) -> None:
        with worker_context.downloads.slot() as is_free:
            if is_free:
                run(task_id)
        if is_free:
            dispatcher.publish_next(worker_context, LONG)

    download.__name__ = run.__name__
    return download


def run_chain(worker_context: WorkerContext, task_message: TaskMessage) -> None:
    """Run a task, then those that follow it in its lane for the same event."""
    reads = RecentReads()
    following = run_task(worker_context, task_message, reads)
    while following:
        events = task_events(worker_context.app, following) if worker_context.settings.watching.task_events else None
        with events or nullcontext():
            following = run_claimed(worker_context, following, reads)


def run_task(worker_context: WorkerContext, task_message: TaskMessage, reads: RecentReads | None = None) -> Task | None:
    """Claim a task and run it. Returns the next one, which this worker has claimed. reads: as in run_claimed."""
    task = _claim(worker_context, task_message)
    return run_claimed(worker_context, task, reads) if task else None


def _claim(worker_context: WorkerContext, task_message: TaskMessage) -> Task | None:
    """Claim a task. Returns None where it is done, another worker has it, or the ledger is not available."""
    verb, task_id = task_message.name.removeprefix("worker."), task_message.task_id
    try:
        with worker_context.ledger.write() as connection:
            task = tasks.claim(connection, task_id, at=worker_context.now())
    except LedgerUnavailable as error:
        log.warning(
            "%s %s: not started, the sweep publishes it again: the ledger %s (%s)", verb, task_id, error.reason, error
        )
        return None
    if task is None:
        log.debug("%s %s: nothing to claim", verb, task_id)
    return task


def run_claimed(worker_context: WorkerContext, task: Task, reads: RecentReads | None = None) -> Task | None:
    """Run a claimed task, and publish what is due then. Returns the next one, which this worker has claimed.

    reads: those of the event's tasks before it.
    """
    verb = task.name.removeprefix("worker.")
    with observability.log_context(task):
        try:
            ended = attempt.run(worker_context, verb, task, reads)
        except TaskReleased:
            release_task(worker_context, task)
            return None
        except LeaseLost:
            log.warning("%s %s: its lease went to another worker, which finishes it", verb, task.id)
            return None
        publish(worker_context.app, ended.task_messages)
        return ended.following


def release_task(worker_context: WorkerContext, task: Task) -> None:
    """Release a task while this worker stops: another worker takes it at once, or without the ledger when its lease
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

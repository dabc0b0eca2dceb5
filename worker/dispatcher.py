"""Ringing for work: what nobody does, what the time has brought, what a busy receiver has accepted."""

import logging
from collections.abc import Collection

from registrar.broker.celery_app import TaskMessage, publish, queued_messages
from registrar.ledger import LedgerUnavailable, tasks
from registrar.ledger.queries.queue import first_in_line
from registrar.ledger.tasks import LEASE_SECONDS
from worker import scheduler
from worker.beat import SWEEP_SECONDS
from worker.context import WorkerContext

log = logging.getLogger(__name__)


def sweep(worker_context: WorkerContext) -> None:
    """Ring for work that nobody is doing. A ledger that is down is no error here: the next sweep is near."""
    # A broker that was wiped is noticed here: what was rung before the last sweep is no longer there.
    there = queued_messages(worker_context.app)
    lost_after = SWEEP_SECONDS if there == 0 else tasks.REDELIVER_AFTER
    try:
        with worker_context.ledger.write() as connection:
            # After an outage: who is alive gets the time to renew its lease, so that none dies of the ledger's faults.
            reap = worker_context.ledger.outages.over_for() > LEASE_SECONDS
            task_messages = tasks.sweep(
                connection, at=worker_context.now(), lost_after=lost_after, waiting=there or 0, reap=reap
            )
    except LedgerUnavailable as error:
        log.warning("the sweep can't read the ledger: %s", error)
        return
    if task_messages:
        log.info("sweep: rang for %d task(s)", len(task_messages))
    publish(worker_context.app, task_messages)


def publish_batch(worker_context: WorkerContext, task_messages: list[TaskMessage]) -> None:
    """Ring for what a busy receiver has accepted: of a burst for one model for the first alone, as the rest follow.
    Without the ledger nothing could be begun either: the sweep rings.
    """
    try:
        with worker_context.ledger.read() as connection:
            first = first_in_line(connection, [task_message.task_id for task_message in task_messages])
    except LedgerUnavailable as error:
        log.warning("%d bell(s) are left to the sweep: the ledger %s (%s)", len(task_messages), error.reason, error)
        return
    publish(worker_context.app, [task_message for task_message in task_messages if task_message.task_id in first])


def publish_next(worker_context: WorkerContext, names: Collection[str]) -> None:
    """Ring for the next of these tasks, by their Celery names. Without the ledger the sweep does."""
    try:
        with worker_context.ledger.write() as connection:
            task_messages = tasks.next_message(connection, names, at=worker_context.now())
    except LedgerUnavailable as error:
        log.warning("what waits for a place is left to the sweep: the ledger %s (%s)", error.reason, error)
        return
    publish(worker_context.app, task_messages)


def tick(worker_context: WorkerContext) -> None:
    """Begin what the time has brought. A ledger that is down is no error here either."""
    try:
        scheduler.tick(worker_context.ledger, worker_context.inbox, worker_context.policy, worker_context.now())
    except LedgerUnavailable as error:
        log.warning("the scheduler can't read or write the ledger: %s", error)

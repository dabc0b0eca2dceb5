"""Publish tasks to the broker whose message was lost, or that came in a burst; submit the events that are due."""

import logging
from collections.abc import Collection

from registrar.broker.celery_app import publish, queued_messages
from registrar.broker.task_message import TaskMessage
from registrar.ledger import LedgerUnavailable, task_dispatch
from registrar.ledger.queries.queue import first_in_line
from registrar.ledger.tasks import LEASE_SECONDS
from worker import registry_poll, scheduler
from worker.beat import SWEEP_SECONDS
from worker.context import WorkerContext

log = logging.getLogger(__name__)


def sweep(worker_context: WorkerContext) -> None:
    """Publish each task again whose message seems lost. Without the ledger, the next sweep does."""
    # An empty broker may have been wiped: then every message from before the last sweep counts as lost.
    queued = queued_messages(worker_context.app)
    lost_after = SWEEP_SECONDS if queued == 0 else task_dispatch.REDELIVER_AFTER
    try:
        with worker_context.ledger.write() as connection:
            # After an outage, workers get time to renew their leases before one counts as expired.
            reap = worker_context.ledger.outages.over_for() > LEASE_SECONDS
            task_messages = task_dispatch.sweep(
                connection, at=worker_context.now(), lost_after=lost_after, waiting=queued or 0, reap=reap
            )
    except LedgerUnavailable as error:
        log.warning("the sweep can't read the ledger: %s", error)
        return
    if task_messages:
        log.info("sweep: published %d task(s) again", len(task_messages))
    publish(worker_context.app, task_messages)


def publish_batch(worker_context: WorkerContext, task_messages: list[TaskMessage]) -> None:
    """Publish what a busy receiver accepted; of several tasks in one lane only the first, as the others follow it.

    Without the ledger, the sweep publishes them.
    """
    try:
        with worker_context.ledger.read() as connection:
            first = first_in_line(connection, [task_message.task_id for task_message in task_messages])
    except LedgerUnavailable as error:
        log.warning("%d task(s) are left to the sweep: the ledger %s (%s)", len(task_messages), error.reason, error)
        return
    publish(worker_context.app, [task_message for task_message in task_messages if task_message.task_id in first])


def publish_next(worker_context: WorkerContext, names: Collection[str]) -> None:
    """Publish the next queued task of these Celery names. Without the ledger, the sweep does."""
    try:
        with worker_context.ledger.write() as connection:
            task_messages = task_dispatch.next_message(connection, names, at=worker_context.now())
    except LedgerUnavailable as error:
        log.warning("the next download is left to the sweep: the ledger %s (%s)", error.reason, error)
        return
    publish(worker_context.app, task_messages)


def tick(worker_context: WorkerContext) -> None:
    """Submit the events that are due, and publish a due poll of MLflow. Without the ledger, the next tick does."""
    try:
        scheduler.tick(worker_context.ledger, worker_context.inbox, worker_context.policy, worker_context.now())
        registry_poll.publish_if_due(worker_context)
    except LedgerUnavailable as error:
        log.warning("the scheduler can't read or write the ledger: %s", error)

"""Ringing for work: what nobody does, what the time has brought, what a busy receiver has accepted."""

import logging
from collections.abc import Collection

from registrar.broker.celery_app import TaskMessage, publish, waiting
from registrar.ledger import LedgerUnavailable, tasks
from registrar.ledger.queries.backlog import first_in_line
from registrar.ledger.tasks import LEASE_SECONDS
from worker import scheduler
from worker.beat_schedule import SWEEP_SECONDS
from worker.context import WorkerContext

log = logging.getLogger(__name__)


def sweep(bench: WorkerContext) -> None:
    """Ring for work that nobody is doing. A ledger that is down is no error here: the next sweep is near."""
    # A broker that was wiped is noticed here: what was rung before the last sweep is no longer there.
    there = waiting(bench.app)
    lost_after = SWEEP_SECONDS if there == 0 else tasks.RING_AGAIN
    try:
        with bench.ledger.write() as connection:
            # After an outage: who is alive gets the time to renew its lease, so that none dies of the ledger's faults.
            reap = bench.ledger.outages.over_for() > LEASE_SECONDS
            bells = tasks.sweep(connection, at=bench.now(), lost_after=lost_after, waiting=there or 0, reap=reap)
    except LedgerUnavailable as error:
        log.warning("the sweep can't read the ledger: %s", error)
        return
    if bells:
        log.info("sweep: rang for %d task(s)", len(bells))
    publish(bench.app, bells)


def peal(bench: WorkerContext, bells: list[TaskMessage]) -> None:
    """Ring for what a busy receiver has accepted: of a burst for one model for the first alone, as the rest follow.
    Without the ledger nothing could be begun either: the sweep rings.
    """
    try:
        with bench.ledger.read() as connection:
            first = first_in_line(connection, [bell.task_id for bell in bells])
    except LedgerUnavailable as error:
        log.warning("%d bell(s) are left to the sweep: the ledger %s (%s)", len(bells), error.reason, error)
        return
    publish(bench.app, [bell for bell in bells if bell.task_id in first])


def next_of(bench: WorkerContext, names: Collection[str]) -> None:
    """Ring for the next of these tasks, by their Celery names. Without the ledger the sweep does."""
    try:
        with bench.ledger.write() as connection:
            bells = tasks.ring_next(connection, names, at=bench.now())
    except LedgerUnavailable as error:
        log.warning("what waits for a place is left to the sweep: the ledger %s (%s)", error.reason, error)
        return
    publish(bench.app, bells)


def tick(bench: WorkerContext) -> None:
    """Begin what the time has brought. A ledger that is down is no error here either."""
    try:
        scheduler.tick(bench.ledger, bench.inbox, bench.policy, bench.now())
    except LedgerUnavailable as error:
        log.warning("the scheduler can't read or write the ledger: %s", error)

"""The inbox accepts the events of webhooks, dashboard, API and scheduler, and makes them durable.

Capacity -> group commit -> dispatch -> metrics, trace, log. A receipt is given after the commit and never before.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from registrar.broker.task_message import TaskMessage
from registrar.ledger.capacity import Capacity, NoCapacity
from registrar.ledger.deliveries import Arrival, Receipt, known
from registrar.ledger.engine import Ledger, LedgerUnavailable
from registrar.ledger.group_commit import GroupCommitter, Pending
from registrar.telemetry import tracing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission(Arrival):
    """A delivery with its events, as one entrance submits it.

    entrance: the name of its trace, such as `webhook ci`. began: the start of the request, nanoseconds since 1970.
    traceparent: the sender's, https://www.w3.org/TR/trace-context/.
    """

    entrance: str
    began: int = field(default_factory=time.time_ns)
    traceparent: str | None = None


_Pending: TypeAlias = Pending[Submission]


class Inbox:
    """One per process; thread-safe. Without `capacity` nothing is refused.

    dispatch: publishes tasks after a commit; must not block. count: called with each delivery's source and receipt.
    """

    def __init__(
        self,
        ledger: Ledger,
        dispatch: Callable[[Sequence[TaskMessage]], None],
        *,
        capacity: Capacity | None = None,
        count: Callable[[str, Receipt], None] = lambda source, receipt: None,
    ) -> None:
        self._ledger = ledger
        self._dispatch = dispatch
        self._capacity = capacity
        self._count = count
        self._committer: GroupCommitter[Submission] = GroupCommitter(ledger, self._committed)
        # Reads of the ledger before a commit: one at a time, and never in the writer's thread.
        self._executor = ThreadPoolExecutor(1, "capacity")

    def submit(self, submission: Submission) -> Future[Receipt]:
        """Submit a delivery. Never blocks. The future gets the receipt once the delivery is on disk.

        A repeated delivery gets its first receipt again. The future raises NoCapacity, DiskFull, DeliveryConflict or
        LedgerUnavailable: nothing was accepted.
        """
        pending = Pending(submission)
        pending.future.set_running_or_notify_cancel()  # a sender that hangs up cancels nothing
        if self._capacity is None:
            self._committer.put(pending)
        elif self._capacity.stale:
            self._run_later(self._admit_after_refresh, self._capacity, pending)
        else:
            if self._capacity.due:
                self._executor.submit(self._refresh, self._capacity)
            self._admit(self._capacity, pending)
        return pending.future

    def close(self) -> None:
        """Write and answer what was submitted. Call submit() no more."""
        self._executor.shutdown()
        self._committer.close()

    def _admit(self, capacity: Capacity, pending: _Pending) -> None:
        try:
            capacity.admit(pending.arrival.delivery.source, pending.arrival.events)
        except NoCapacity as refusal:
            self._run_later(self._repeat_or_refuse, refusal, pending)
        else:
            self._committer.put(pending)

    def _run_later(self, job: Callable[[Any, _Pending], None], argument: object, pending: _Pending) -> None:
        """Run a job that reads the ledger. Its error becomes the answer, so that no sender waits for ever."""

        def run() -> None:
            try:
                job(argument, pending)
            except Exception as error:  # noqa: BLE001 (raised where the receipt is waited for)
                pending.future.set_exception(error)

        try:
            self._executor.submit(run)
        except RuntimeError:  # after close()
            pending.future.set_exception(LedgerUnavailable("this process ends", "is not written any more"))

    def _admit_after_refresh(self, capacity: Capacity, pending: _Pending) -> None:
        capacity.refresh()
        self._admit(capacity, pending)

    def _refresh(self, capacity: Capacity) -> None:
        with suppress(LedgerUnavailable):  # the commit finds out, and says so
            capacity.refresh()

    def _repeat_or_refuse(self, refusal: NoCapacity, pending: _Pending) -> None:
        """Answer a known delivery with its first receipt, whatever the capacity; refuse any other."""
        with self._ledger.read() as connection:
            receipt = known(connection, pending.arrival.delivery)
        if receipt is None:
            raise refusal
        self._committed([(pending.arrival, receipt)])
        pending.future.set_result(receipt)

    def _committed(self, written: Sequence[tuple[Submission, Receipt]]) -> None:
        """Dispatch, count, trace and log what was committed."""
        self._dispatch([task_message for _, receipt in written for task_message in receipt.task_messages])
        for submission, receipt in written:
            self._count(submission.delivery.source, receipt)
            _trace(submission, receipt)
            _log(submission, receipt)


def _trace(submission: Submission, receipt: Receipt) -> None:
    """Trace a delivery; a repeated one has its trace from the first time."""
    if tracing.on() and not receipt.repeated:
        tracing.accepted(
            submission.entrance,
            [event_id for event_id, _ in receipt.events],
            {"registrar.source": submission.delivery.source, "registrar.type": receipt.events[0][1]},
            began=submission.began,
            ended=time.time_ns(),
            sender=submission.traceparent,
        )


def _log(submission: Submission, receipt: Receipt) -> None:
    source, what = submission.delivery.source, "repeated" if receipt.repeated else "accepted"
    for (event_id, type_), event in zip(receipt.events, submission.events, strict=False):
        about = {"event": event_id, "type": type_, "source": source}
        log.info("%s %s %s from %s by %s", what, type_, event_id, source, event.actor.id, extra={"about": about})

"""Group commit: one thread writes all waiting submissions in one transaction, with one wait for the disk.

Submissions that arrive during a transaction wait for the next one. So an idle process adds no delay, and a busy one
makes few commits.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from registrar.batching import Batches
from registrar.ledger.deliveries import Answer, Arrival, Receipt, prepare
from registrar.ledger.engine import Ledger, LedgerUnavailable

# Submissions in one transaction. With more, the first of them would wait longer for the others than for the disk.
LARGEST_GROUP = 64
# Seconds for the submissions that wait when the process ends.
CLOSE_SECONDS = 10.0

A = TypeVar("A", bound=Arrival)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pending(Generic[A]):
    """A submission, and the future that gets its receipt or error after the commit."""

    arrival: A
    future: Future[Receipt] = field(default_factory=Future)


class GroupCommitter(Generic[A]):
    """Thread-safe. committed: called in the writer's thread with what a commit wrote, before the futures are set."""

    def __init__(self, ledger: Ledger, committed: Callable[[Sequence[tuple[A, Receipt]]], None]) -> None:
        self._ledger = ledger
        self._committed = committed
        self._closed = False
        self._batches: Batches[Pending[A]] = Batches("group-commit", self._settle, most=LARGEST_GROUP)

    def put(self, pending: Pending[A]) -> None:
        """Hand a submission over. Never blocks. Its future gets the receipt, DeliveryConflict or LedgerUnavailable."""
        if self._closed:
            pending.future.set_exception(LedgerUnavailable("this process ends", "is not written any more"))
        else:
            self._batches.put(pending)

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._closed = True
        self._batches.close(CLOSE_SECONDS)

    def _settle(self, group: Sequence[Pending[A]]) -> None:
        answers = list(zip(group, self._write([pending.arrival for pending in group]), strict=True))
        try:
            self._committed([(pending.arrival, answer) for pending, answer in answers if isinstance(answer, Receipt)])
        except Exception:  # committed already: an error here must not keep the receipt from the sender
            log.exception("accepted, and not dispatched or counted")
        for pending, answer in answers:
            if isinstance(answer, Receipt):
                pending.future.set_result(answer)
            else:
                pending.future.set_exception(answer)

    def _write(self, group: Sequence[A]) -> Sequence[Answer | Exception]:
        try:
            return self._ledger.written(prepare(group, self._ledger.engine.dialect.name))
        except LedgerUnavailable as error:
            return [LedgerUnavailable(str(error), error.reason) for _ in group]
        except Exception as error:  # noqa: BLE001 (set in the future of the submission that causes it)
            if len(group) == 1:
                return [error]
            # One submission that the database refuses must not fail the others.
            return [answer for arrival in group for answer in self._write([arrival])]

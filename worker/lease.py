"""Keep a task's lease while it runs: renew it in the background, check it right before each write."""

import logging
import threading
from types import TracebackType
from typing import Self

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.engine import now
from registrar.ledger.tasks import LEASE_SECONDS, LeaseLost, Task, renew
from worker.shutdown import Shutdown

log = logging.getLogger(__name__)

EVERY = LEASE_SECONDS / 3
LONGEST = 1800  # seconds; a task that hangs longer goes to another worker


class Lease:
    """A context manager around one attempt."""

    def __init__(self, ledger: Ledger, task: Task, closing: Shutdown) -> None:
        self._ledger = ledger
        self._task = task
        self._closing = closing
        self._done = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"lease-{task.id}", daemon=True)

    def renew(self) -> None:
        """Call right before a write. Raises LeaseLost where another worker has the task, or is to have it: then
        write nothing.
        """
        self._closing.check()
        self._renew(writes=True)

    def _renew(self, *, writes: bool = False) -> None:
        with self._ledger.write() as connection:
            renew(connection, self._task, at=now(), writes=writes)

    def _keep(self) -> None:
        for _ in range(int(LONGEST / EVERY)):
            if self._done.wait(EVERY):
                return
            try:
                self._renew()
            except LeaseLost:
                return
            except LedgerUnavailable as error:
                log.warning("the lease of %s was not renewed: %s", self._task.id, error)

    def __enter__(self) -> Self:
        self._closing.hold(self._task)
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._closing.let_go(self._task)

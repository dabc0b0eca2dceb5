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

RENEW_EVERY = LEASE_SECONDS / 3
LONGEST = 1800  # seconds until a hanging task goes to another worker


class Lease:
    """The lease of one attempt; a context manager."""

    def __init__(self, ledger: Ledger, task: Task, shutdown: Shutdown) -> None:
        self._ledger = ledger
        self._task = task
        self._shutdown = shutdown
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name=f"lease-{task.id}", daemon=True)

    def renew(self) -> None:
        """Call right before a write. Raises LeaseLost where another worker has the task, or is to get it."""
        self._shutdown.check()
        self._renew(writes=True)

    def _renew(self, *, writes: bool = False) -> None:
        with self._ledger.write() as connection:
            renew(connection, self._task, at=now(), writes=writes)

    def _keep_renewing(self) -> None:
        for _ in range(int(LONGEST / RENEW_EVERY)):
            if self._done.wait(RENEW_EVERY):
                return
            try:
                self._renew()
            except LeaseLost:
                return
            except LedgerUnavailable as error:
                log.warning("the lease of %s was not renewed: %s", self._task.id, error)

    def __enter__(self) -> Self:
        self._shutdown.add(self._task)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._shutdown.remove(self._task)

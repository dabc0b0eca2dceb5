"""What becomes of the tasks in hand when a worker stops: they are finished here, or handed back for another worker."""

import logging
import threading
import time
from collections.abc import Callable

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down

from registrar.ledger.tasks import LEASE_SECONDS, LeaseLost, Task

log = logging.getLogger(__name__)

DRAIN = 10.0  # seconds: what takes no longer is finished
# Then no write to the registry is under way: none is begun after DRAIN, and a call takes less than a lease.
HAND_BACK = DRAIN + LEASE_SECONDS


class TaskReleased(LeaseLost):
    """The worker stops, and the task was about to write: another worker does that."""


class Shutdown:
    """Of one worker process. hand_back: releases a task; leave: ends the process."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._held: dict[str, Task] = {}
        self._lock = threading.RLock()  # a signal may come while the same thread is in here

    def hold(self, task: Task) -> None:
        with self._lock:
            self._held[task.id] = task

    def let_go(self, task: Task) -> None:
        with self._lock:
            self._held.pop(task.id, None)

    def check(self) -> None:
        """Right before a write. Raises TaskReleased."""
        if self._begun is not None and time.monotonic() > self._begun + DRAIN:
            raise TaskReleased

    def begin(self, hand_back: Callable[[Task], None], leave: Callable[[], None]) -> None:
        """Once; returns at once. Threads can't be ended: what still hangs after HAND_BACK ends with the process."""
        with self._lock:
            if self._begun is not None:
                return
            self._begun = time.monotonic()
        threading.Thread(target=self._end, args=(hand_back, leave), name="closing", daemon=True).start()

    def _end(self, hand_back: Callable[[Task], None], leave: Callable[[], None]) -> None:
        time.sleep(HAND_BACK)
        with self._lock:
            held = list(self._held.values())
        for task in held:
            hand_back(task)
        leave()


def on_shutdown(app: Celery, begin: Callable[[], None]) -> None:
    """Asked to stop, or on the way out by an error: Celery 5.7 ends when Redis goes down while a task is in hand."""

    class Last(bootsteps.StartStopStep):
        def close(self, worker: object) -> None:
            begin()

    def asked(**_: object) -> None:
        begin()

    app.steps["worker"].add(Last)
    worker_shutting_down.connect(asked, weak=False)

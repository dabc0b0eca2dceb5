"""Stop a worker: running tasks are finished here, or released for another worker."""

import logging
import threading
import time
from collections.abc import Callable

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down

from registrar.ledger.tasks import LEASE_SECONDS, LeaseLost, Task

log = logging.getLogger(__name__)

DRAIN = 10.0  # seconds in which running tasks may start writes
# Seconds until running tasks are released. Then no write is under way: none starts after DRAIN, and a call takes less
# than a lease.
RELEASE_AFTER = DRAIN + LEASE_SECONDS


class TaskReleased(LeaseLost):
    """The worker stops and the task was about to write, so another worker takes it."""


class Shutdown:
    """The shutdown of one worker process."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._running: dict[str, Task] = {}
        self._lock = threading.RLock()  # a signal may interrupt a thread that has it

    @property
    def begun(self) -> bool:
        return self._begun is not None

    def add(self, task: Task) -> None:
        """Note that a task runs here."""
        with self._lock:
            self._running[task.id] = task

    def remove(self, task: Task) -> None:
        with self._lock:
            self._running.pop(task.id, None)

    def check(self) -> None:
        """Call right before a write. Raises TaskReleased."""
        if self._begun is not None and time.monotonic() > self._begun + DRAIN:
            raise TaskReleased

    def begin(self, release: Callable[[Task], None], exit_process: Callable[[], None]) -> None:
        """Begin the shutdown, once, and return at once. After RELEASE_AFTER the running tasks are released, and the
        process exits: threads can't be stopped, so one that still hangs ends with it.
        """
        with self._lock:
            if self._begun is not None:
                return
            self._begun = time.monotonic()
        threading.Thread(target=self._end, args=(release, exit_process), name="shutdown", daemon=True).start()

    def _end(self, release: Callable[[Task], None], exit_process: Callable[[], None]) -> None:
        time.sleep(RELEASE_AFTER)
        with self._lock:
            running = list(self._running.values())
        for task in running:
            release(task)
        exit_process()


def on_shutdown(app: Celery, begin: Callable[[], None]) -> None:
    """Call begin when the worker gets a signal to stop, and when it fails: Celery 5.7 ends when Redis goes down during
    a task.
    """

    class OnClose(bootsteps.StartStopStep):
        def close(self, worker: object) -> None:
            begin()

    def on_signal(**_: object) -> None:
        begin()

    app.steps["worker"].add(OnClose)
    worker_shutting_down.connect(on_signal, weak=False)

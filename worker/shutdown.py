"""Stop a worker: tasks in hand are finished here, or released for another worker."""

import logging
import threading
import time
from collections.abc import Callable

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down

from registrar.ledger.tasks import LEASE_SECONDS, LeaseLost, Task

log = logging.getLogger(__name__)

DRAIN = 10.0  # seconds for tasks to finish
# Seconds until no write to the registry is under way: none starts after DRAIN, and a call takes less than a lease.
HAND_BACK = DRAIN + LEASE_SECONDS


class TaskReleased(LeaseLost):
    """The worker stops, and the task was about to write: another worker takes it."""


class Shutdown:
    """The shutdown of one worker process."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._held: dict[str, Task] = {}
        self._lock = threading.RLock()  # a signal may interrupt a thread that has it

    def hold(self, task: Task) -> None:
        with self._lock:
            self._held[task.id] = task

    def let_go(self, task: Task) -> None:
        with self._lock:
            self._held.pop(task.id, None)

    def check(self) -> None:
        """Call right before a write. Raises TaskReleased."""
        if self._begun is not None and time.monotonic() > self._begun + DRAIN:
            raise TaskReleased

    def begin(self, hand_back: Callable[[Task], None], leave: Callable[[], None]) -> None:
        """Start once; returns at once. hand_back: releases a task. leave: ends the process.

        Threads can't be stopped: one that still hangs after HAND_BACK ends with the process.
        """
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
    """Call begin when the worker is asked to stop, and when it fails: Celery 5.7 ends when Redis goes down during a
    task.
    """

    class Last(bootsteps.StartStopStep):
        def close(self, worker: object) -> None:
            begin()

    def on_signal(**_: object) -> None:
        begin()

    app.steps["worker"].add(Last)
    worker_shutting_down.connect(on_signal, weak=False)

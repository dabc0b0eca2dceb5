"""The heartbeat of a worker or beat process, with the time of the last message that it handled."""

import threading
import time
from typing import Any, Self

from celery import Celery, bootsteps
from celery.beat import Scheduler
from celery.signals import after_task_publish, task_postrun, task_prerun

from registrar.ledger import Ledger
from registrar.ledger.heartbeats import EVERY
from registrar.telemetry import liveness
from registrar.telemetry.heartbeat import Digests, HeartbeatWriter
from registrar.telemetry.liveness import LoopActivity
from worker.registry.availability import RegistryAvailability


class WorkerHeartbeat(HeartbeatWriter):
    """The heartbeat of one process; a context manager. part: worker or beat."""

    def __init__(
        self,
        ledger: Ledger,
        part: str,
        digests: Digests | None = None,
        *,
        availability: RegistryAvailability | None = None,
    ) -> None:
        super().__init__(ledger, part, digests)
        self._availability = availability
        self._last_message: float | None = None  # monotonic
        self._running_tasks = 0
        self._lock = threading.Lock()

    def started(self, **_: object) -> None:
        """Note that a message came from the broker, and its task starts."""
        with self._lock:
            self._running_tasks += 1
            self._last_message = time.monotonic()

    def finished(self, **_: object) -> None:
        with self._lock:
            self._running_tasks -= 1

    def published(self, **_: object) -> None:
        """Note that a message went to the broker."""
        self._last_message = time.monotonic()

    def every(self) -> float:
        return EVERY

    def marks(self) -> dict[str, float]:
        dispatched = {} if self._last_message is None else {"last_dispatched_at": self._last_message}
        return {**super().marks(), **dispatched}

    def more(self) -> dict[str, Any]:
        return {
            "in_hand": self._running_tasks,
            "mlflow": self._availability.trouble if self._availability else None,
        }

    def __enter__(self) -> Self:
        if self._part == "worker":
            task_prerun.connect(self.started)
            task_postrun.connect(self.finished)
        else:
            after_task_publish.connect(self.published)
        return super().__enter__()


def track_worker_loop(app: Celery, loop: LoopActivity) -> None:
    """Report each turn of Celery's loop. Without a connection, the worker counts as waiting for the broker."""

    class LoopTracker(bootsteps.StartStopStep):
        """The last step of Celery's consumer to start, the first to stop."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **_: object) -> None:
            super().__init__(consumer)
            self._waiting = loop.waiting()
            self._waiting.__enter__()
            self._timer: Any = None

        def start(self, consumer: Any) -> None:
            self._waiting.__exit__(None, None, None)
            self._timer = consumer.timer.call_repeatedly(liveness.EVERY, loop.turned)

        def stop(self, consumer: Any) -> None:
            if self._timer:
                self._timer.cancel()
                self._timer = None
                self._waiting = loop.waiting()
                self._waiting.__enter__()

    app.steps["consumer"].add(LoopTracker)


def tracking_scheduler(loop: LoopActivity) -> type[Scheduler]:
    """Return a scheduler class for beat that reports each tick, and when it waits for the broker."""

    class TrackingScheduler(Scheduler):
        def tick(self, *args: Any, **kwargs: Any) -> Any:
            loop.turned()
            return super().tick(*args, **kwargs)

        def _ensure_connected(self) -> Any:
            with loop.waiting():
                return super()._ensure_connected()  # type: ignore[misc]  # its stubs lack it

    return TrackingScheduler

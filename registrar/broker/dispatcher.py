"""Publish task ids to the broker after a commit, in a thread of its own: no sender waits for the broker."""

import atexit
import time
from collections.abc import Iterable, Sequence

from celery import Celery
from kombu.exceptions import OperationalError

from registrar.batching import Batches
from registrar.broker.celery_app import celery_app, publish, publish_batch
from registrar.broker.task_message import TaskMessage

# Seconds that the broker may take to answer.
TIMEOUT = 1
# Seconds after a failure in which nothing is published; the sweep does it later.
PAUSE = 5.0
# Up to so many tasks are published one by one; more go to a worker as one message.
FEW = 3
# Seconds between two messages of a busy process; the first after a quiet time is published at once.
APART = 0.1
# Tasks in one message.
MOST = 500
# Tasks that may wait for the broker; further ones are left to the sweep.
LONGEST = 10_000
# Seconds for waiting tasks when the process ends.
CLOSE_SECONDS = 3.0


class Dispatcher:
    """Best effort: the sweep (worker/dispatcher.py) publishes tasks that are not published here. Thread-safe."""

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = celery_app(broker_url, timeout=TIMEOUT, patient=False)
        self._batches: Batches[TaskMessage] = Batches("dispatch", self._publish, most=MOST, apart=APART)
        self._silent_until = 0.0
        atexit.register(self.close)

    def publish(self, task_messages: Iterable[TaskMessage]) -> None:
        """Queue messages for publishing. Never blocks."""
        if self._batches.waiting() < LONGEST:
            for task_message in task_messages:
                self._batches.put(task_message)

    def close(self) -> None:
        """Publish waiting tasks, then end the thread."""
        self._batches.close(CLOSE_SECONDS)
        atexit.unregister(self.close)

    def answers(self) -> bool:
        """Return whether the broker can be reached, by a new connection. Blocks for TIMEOUT at most."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=TIMEOUT)
        except (OperationalError, OSError):
            return False
        return True

    def _publish(self, task_messages: Sequence[TaskMessage]) -> None:
        if time.monotonic() < self._silent_until:
            return
        send = publish if len(task_messages) <= FEW else publish_batch
        if not send(self._app, task_messages):
            self._silent_until = time.monotonic() + PAUSE

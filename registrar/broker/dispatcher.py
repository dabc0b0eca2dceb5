"""Publishes task ids to the broker after a commit, in a thread of its own: no sender ever waits for the broker."""

import atexit
import time
from collections.abc import Iterable, Sequence

from celery import Celery
from kombu.exceptions import OperationalError

from registrar.batching import Batches
from registrar.broker.celery_app import TaskMessage, celery_app, publish, publish_batch

# Seconds that the broker may take to answer.
TIMEOUT = 1
# Seconds after a failure, in which the broker is not asked again: the sweep publishes what is left.
PAUSE = 5.0
# Tasks that are published one by one; of more, a worker is given the list.
FEW = 3
# Seconds between two messages of a busy process; the first after a quiet time is published at once.
APART = 0.1
# Tasks in one message.
MOST = 500
# Tasks that wait for the broker; what is more is left to the sweep.
LONGEST = 10_000
# Seconds at the end of the process, for what waits.
CLOSE_SECONDS = 3.0


class Dispatcher:
    """Thread-safe, best effort: what is not published here is published by the sweep (worker/dispatcher.py)."""

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = celery_app(broker_url, timeout=TIMEOUT, patient=False)
        self._batches: Batches[TaskMessage] = Batches("dispatch", self._publish, most=MOST, apart=APART)
        self._silent_until = 0.0
        atexit.register(self.close)

    def publish(self, task_messages: Iterable[TaskMessage]) -> None:
        """Returns at once."""
        if self._batches.waiting() < LONGEST:
            for task_message in task_messages:
                self._batches.put(task_message)

    def close(self) -> None:
        """Publish what waits, then end the thread: nothing is published from then on."""
        self._batches.close(CLOSE_SECONDS)
        atexit.unregister(self.close)

    def answers(self) -> bool:
        """Whether the broker can be reached now, over a connection of its own. Blocks for TIMEOUT at most."""
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

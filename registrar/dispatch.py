"""Publishes task ids to the broker after a commit, in a thread of its own: no sender ever waits for the broker."""

import atexit
import logging
import threading
import time
from collections.abc import Iterable
from queue import Empty, SimpleQueue

from celery import Celery
from kombu.exceptions import OperationalError

from registrar.queue import Bell, celery_app, peal, ring

log = logging.getLogger(__name__)

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
_END = None


class Dispatcher:
    """Thread-safe, best effort: what is not published here is published by the sweep (worker/ringing.py)."""

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = celery_app(broker_url, timeout=TIMEOUT, patient=False)
        self._waiting: SimpleQueue[Bell | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._silent_until = 0.0

    def publish(self, bells: Iterable[Bell]) -> None:
        """Returns at once."""
        if self._thread is None:
            self._start()
        if self._waiting.qsize() < LONGEST:
            for bell in bells:
                self._waiting.put(bell)

    def close(self) -> None:
        """Publish what waits, then end the thread: nothing is published from then on."""
        if self._thread is not None:
            self._waiting.put(_END)
            self._thread.join(CLOSE_SECONDS)
            atexit.unregister(self.close)

    def answers(self) -> bool:
        """Whether the broker can be reached now, over a connection of its own. Blocks for TIMEOUT at most."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=TIMEOUT)
        except (OperationalError, OSError):
            return False
        return True

    def _start(self) -> None:
        """At the first task and not before: a thread does not survive a fork."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="dispatch", daemon=True)
                thread.start()  # which may fail: the next task tries again
                self._thread = thread
                atexit.register(self.close)

    def _run(self) -> None:
        going, published = True, float("-inf")
        while going:
            bells, going = self._take(published + APART)
            published = time.monotonic()
            try:
                self._publish(bells)
            except Exception:  # the thread must outlive whatever it is
                log.exception("%d task(s) wait for the sweep", len(bells))

    def _take(self, earliest: float) -> tuple[list[Bell], bool]:
        """All that wait at that time, one at least; and whether there will be more."""
        bells: list[Bell] = []
        try:
            bell = self._waiting.get()
            if bell is not _END:
                time.sleep(max(0.0, earliest - time.monotonic()))
            while bell is not _END:
                bells.append(bell)
                if len(bells) == MOST:
                    return bells, True
                bell = self._waiting.get_nowait()
        except Empty:
            return bells, True
        return bells, False

    def _publish(self, bells: list[Bell]) -> None:
        if not bells or time.monotonic() < self._silent_until:
            return
        publish = ring if len(bells) <= FEW else peal
        if not publish(self._app, bells):
            self._silent_until = time.monotonic() + PAUSE

"""Rings for the workers after a commit, in a thread of its own: no sender ever waits for the broker."""

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

TIMEOUT = 1  # second
PAUSE = 5.0  # after a failure; meanwhile the sweep rings
FEW = 3  # bells that are rung one by one; of more, a worker is given the list
APART = 0.1  # seconds between two rings of a busy receiver; the first after a while is not kept waiting
MOST = 500  # bells at once
LONGEST = 10_000  # bells that wait; what is more is left to the sweep
_FAREWELL = 3.0  # seconds at the end of the process, for what waits
_END = None


class Doorbell:
    """Shared by all threads. What comes while the bell is being rung waits, and is rung together.

    A broker that did not answer is not asked again for PAUSE seconds. Best effort, all of it: what is not rung here is
    rung by the sweep.
    """

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = celery_app(broker_url, timeout=TIMEOUT, patient=False)
        self._waiting: SimpleQueue[Bell | None] = SimpleQueue()
        self._start = threading.Lock()
        self._ringer: threading.Thread | None = None
        self._silent_until = 0.0

    def ring(self, bells: Iterable[Bell]) -> None:
        """Returns at once."""
        if self._ringer is None:
            self._begin()
        if self._waiting.qsize() < LONGEST:
            for bell in bells:
                self._waiting.put(bell)

    def close(self) -> None:
        """Ring for what waits, and end: what is rung from then on is rung by nobody."""
        if self._ringer is not None:
            self._waiting.put(_END)
            self._ringer.join(_FAREWELL)

    def answers(self) -> bool:
        """Whether the broker can be reached now, over a connection of its own."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=TIMEOUT)
        except (OperationalError, OSError):
            return False
        return True

    def _begin(self) -> None:
        """At the first bell, not before: a thread does not survive a fork."""
        with self._start:
            if self._ringer is None:
                self._ringer = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._ringer.start()
                atexit.register(self.close)

    def _run(self) -> None:
        going, rung = True, float("-inf")
        while going:
            bells, going = self._take(rung + APART)
            rung = time.monotonic()
            try:
                self._ring(bells)
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

    def _ring(self, bells: list[Bell]) -> None:
        if not bells or time.monotonic() < self._silent_until:
            return
        publish = ring if len(bells) <= FEW else peal
        if not publish(self._app, bells):
            self._silent_until = time.monotonic() + PAUSE

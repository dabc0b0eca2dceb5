"""Hand items to one thread in batches: all that wait are one batch, and putting an item never blocks."""

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)


class _End:
    """Nothing comes after it."""


class Batches(Generic[T]):
    """Thread-safe. name: of the thread.

    handle: called in the thread with 1 to `most` of what was put, in its order; what it raises is logged.
    apart: seconds between two batches at least, in which more of them may come.
    """

    def __init__(self, name: str, handle: Callable[[list[T]], None], *, most: int, apart: float = 0.0) -> None:
        self._name, self._handle, self._most, self._apart = name, handle, most, apart
        self._waiting: SimpleQueue[T | _End] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, item: T) -> None:
        """Never blocks."""
        if self._thread is None:
            self._start()
        self._waiting.put(item)

    def waiting(self) -> int:
        """How many wait, about."""
        return self._waiting.qsize()

    def close(self, seconds: float) -> None:
        """Handle what waits, for so long at most, then end the thread."""
        if self._thread is not None:
            self._waiting.put(_End())
            self._thread.join(seconds)

    def _start(self) -> None:
        """At the first item and not before: threads do not survive a fork."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()  # which may fail: the next item tries again
                self._thread = thread

    def _run(self) -> None:
        going, handled = True, float("-inf")
        while going:
            batch, going = self._next(handled + self._apart)
            handled = time.monotonic()
            if not batch:
                continue
            try:
                self._handle(batch)
            except Exception:  # the thread must outlive whatever it is
                log.exception("%s: a batch of %d was not handled", self._name, len(batch))

    def _next(self, earliest: float) -> tuple[list[T], bool]:
        """All that wait at that time, one at least; and whether there may be more."""
        batch: list[T] = []
        try:
            item = self._waiting.get()
            if self._apart and not isinstance(item, _End):
                time.sleep(max(0.0, earliest - time.monotonic()))
            while not isinstance(item, _End):
                batch.append(item)
                if len(batch) == self._most:
                    return batch, True
                item = self._waiting.get_nowait()
        except Empty:
            return batch, True
        return batch, False

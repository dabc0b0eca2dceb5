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
    """The last item, put by close()."""


class Batches(Generic[T]):
    """Thread-safe. name: of the thread.

    handle: called in the thread with 1 to `most` items in the order of `put`; its exceptions are logged.
    apart: the least time between two batches, in seconds, so that they grow.
    """

    def __init__(self, name: str, handle: Callable[[list[T]], None], *, most: int, apart: float = 0.0) -> None:
        self._name, self._handle, self._most, self._apart = name, handle, most, apart
        self._waiting: SimpleQueue[T | _End] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, item: T) -> None:
        """Hand an item over. Never blocks."""
        if self._thread is None:
            self._start()
        self._waiting.put(item)

    def waiting(self) -> int:
        """Return the approximate number of waiting items."""
        return self._waiting.qsize()

    def close(self, seconds: float) -> None:
        """Handle the waiting items, within `seconds`, then end the thread."""
        if self._thread is not None:
            self._waiting.put(_End())
            self._thread.join(seconds)

    def _start(self) -> None:
        """Start the thread at the first item, as threads do not survive a fork."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()  # if it fails, the next item tries again
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
            except Exception:  # the thread must outlive any error
                log.exception("%s: a batch of %d was not handled", self._name, len(batch))

    def _next(self, earliest: float) -> tuple[list[T], bool]:
        """Wait for an item, and until `earliest`. Return the waiting items, and whether more may follow."""
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

"""Long downloads have places of their own in a worker process, so that all other work always finds a thread.

What finds no place is not claimed: the next to leave rings for it, or the sweep does, which another worker may hear.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

CONCURRENCY = 4  # threads of a worker: the work is waiting for HTTP; a process each would cost 80 MB each
PLACES = CONCURRENCY // 2  # of them for downloads, which may each take half an hour
LONG = frozenset({"worker.fetch"})  # the Celery tasks that are meant


class Downloads:
    """Of one worker process; thread-safe."""

    def __init__(self, places: int = PLACES) -> None:
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Whether there is one; never waits."""
        found = self._free.acquire(blocking=False)
        try:
            yield found
        finally:
            if found:
                self._free.release()

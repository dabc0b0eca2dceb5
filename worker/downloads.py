"""Limit long downloads to some of a worker's threads, so that other tasks always find a free thread.

A download without a free slot stays unclaimed. It is published again when a slot is free, or by the sweep, and another
worker may take it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

CONCURRENCY = 4  # threads of a worker; tasks mostly wait for HTTP, and a process for each would take 80 MB
SLOTS = CONCURRENCY // 2  # threads that may download; a download may take half an hour
LONG = frozenset({"worker.fetch"})  # names of Celery tasks


class Downloads:
    """The download slots of one worker process; thread-safe."""

    def __init__(self, slots: int = SLOTS) -> None:
        self._free = threading.BoundedSemaphore(slots)

    @contextmanager
    def slot(self) -> Iterator[bool]:
        """Yield whether a slot is free, and keep it meanwhile; never waits."""
        is_free = self._free.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._free.release()

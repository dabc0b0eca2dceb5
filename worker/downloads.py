"""Limit long downloads to some of a worker's threads, so that other tasks always find one.

A download that finds no place stays unclaimed. It is published again when one is free, or by the sweep, and another
worker may take it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

CONCURRENCY = 4  # threads of a worker: tasks wait for HTTP; a process for each would take 80 MB
PLACES = CONCURRENCY // 2  # threads for downloads; one may take half an hour
LONG = frozenset({"worker.fetch"})  # names of Celery tasks


class Downloads:
    """The places of one worker process; thread-safe."""

    def __init__(self, places: int = PLACES) -> None:
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Yield whether a place was free; never waits."""
        found = self._free.acquire(blocking=False)
        try:
            yield found
        finally:
            if found:
                self._free.release()

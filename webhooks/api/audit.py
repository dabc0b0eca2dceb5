"""/v1/audit: the journal as JSON lines, as `registrar audit export --format jsonl` writes it."""

import json
import threading
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from registrar.reading.reading import Reading
from webhooks.access import Access
from webhooks.api import query
from webhooks.errors import TooMany

AT_ONCE = 2  # exports; each has a thread for as long as whoever reads it takes
AGAIN = 30  # seconds
CONTENT_TYPE = "application/x-ndjson"


def add(api: Blueprint, reading: Reading, access: Access) -> None:
    free = threading.BoundedSemaphore(AT_ONCE)

    @api.get("/v1/audit")
    def audit() -> Response:
        """Broken off, it is gone on with by `after`: the number (seq) of the last entry that came."""
        access.require(request, "viewer")
        query.only("model", "since", "until", "after")
        found = reading.audit(
            model=request.args.get("model"),
            since=query.time("since"),
            until=query.time("until"),
            after=query.number("after"),
        )
        if request.method == "HEAD":
            return Response(content_type=CONTENT_TYPE)
        if not free.acquire(blocking=False):
            raise TooMany(f"{AT_ONCE} exports are under way already; ask again in {AGAIN} s", retry_after=AGAIN)
        return Response(_Lines(found, free), content_type=CONTENT_TYPE)


class _Lines:
    """WSGI calls close() however it ends, also where whoever reads hung up before the first line."""

    def __init__(self, entries: Iterator[dict[str, Any]], free: threading.BoundedSemaphore) -> None:
        self._lines = (json.dumps(entry).encode() + b"\n" for entry in entries)
        self._free: threading.BoundedSemaphore | None = free

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def close(self) -> None:
        free, self._free = self._free, None
        if free:
            free.release()

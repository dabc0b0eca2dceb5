"""Streams the journal and fetched files. Each export takes a thread until it ends, so only a few run at once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, get_args

from flask import Response

from registrar.ledger.journal.export import LINES, Entries
from webhooks.auth import Principal
from webhooks.ingress.errors import TooMany

# Exports at once.
AT_ONCE = 6
# Exports of one person, so that nobody takes all of them.
MOST_PER_PERSON = 2
# Seconds in Retry-After.
RETRY_AFTER = 30
# Bytes sent at once: each chunk costs a change of thread.
CHUNK = 65_536
CONTENT_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
Form = Literal["jsonl", "csv"]
FORMS: tuple[Form, ...] = get_args(Form)


class Exports:
    """Counts the exports under way. One per route; thread-safe. retry_after: seconds that who is refused waits."""

    def __init__(self, retry_after: int = RETRY_AFTER) -> None:
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()  # by actor id

    def answer(self, entries: Entries, form: Form, reader: Principal, *, name: str = "journal") -> Response:
        """Start an export. name: the saved file's, without its extension. Raises TooMany."""
        chunks = _chunks(LINES[form](entries))
        return self.stream(chunks, reader, content_type=CONTENT_TYPES[form], filename=f"{name}.{form}")

    def stream(self, chunks: Iterator[bytes], reader: Principal, *, content_type: str, filename: str) -> Response:
        """Start to send chunks as a file. Raises TooMany."""
        response = Response(content_type=content_type)
        seen = "".join(char if char.isprintable() else "_" for char in filename)
        response.headers.set("Content-Disposition", "attachment", filename=seen)
        self._begin(reader.actor.id)
        response.response = _Chunks(chunks, partial(self._end, reader.actor.id))
        return response

    def _begin(self, reader_id: str) -> None:
        with self._lock:
            if self._under_way[reader_id] >= MOST_PER_PERSON:
                why = f"{MOST_PER_PERSON} exports of yours are already running"
            elif self._under_way.total() >= AT_ONCE:
                why = f"{AT_ONCE} exports are already running"
            else:
                self._under_way[reader_id] += 1
                return
        raise TooMany(f"{why}; try again in {self._retry_after} s", retry_after=self._retry_after)

    def _end(self, reader_id: str) -> None:
        with self._lock:
            self._under_way[reader_id] -= 1
            self._under_way += Counter()  # drops the zeros


class _Chunks:
    """Calls `ended` once, at the response's end: WSGI calls close() even if the client left before the first chunk."""

    def __init__(self, chunks: Iterator[bytes], ended: Callable[[], None]) -> None:
        self._chunks = chunks
        self._ended: Callable[[], None] | None = ended

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended()


def _chunks(lines: Iterator[str]) -> Iterator[bytes]:
    chunk = bytearray()
    for line in lines:
        chunk += line.encode()
        if len(chunk) >= CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)

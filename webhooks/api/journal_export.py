"""Streams the journal, line by line. Each export holds a thread until it ends, so only a few run at once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from flask import Response

from registrar.ledger.journal.export import LINES, Entries
from webhooks.auth import Principal
from webhooks.ingress.errors import TooMany

AT_ONCE = 6
MOST_OF_ONE = 2  # exports of one person, so that nobody takes all places
AGAIN = 30  # seconds in Retry-After
# Bytes sent at once: each piece costs a change of thread.
PIECE = 65_536
CONTENT_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
Form = Literal["jsonl", "csv"]


class Exports:
    """Counts the exports under way. One per route; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()  # by actor id

    def answer(self, entries: Entries, form: Form, reader: Principal, *, name: str = "journal") -> Response:
        """Start an export. name: the saved file's, without its extension. Raises TooMany."""
        self._begin(reader.actor.id)
        lines = _Lines(LINES[form](entries), partial(self._end, reader.actor.id))
        response = Response(lines, content_type=CONTENT_TYPES[form])
        response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{form}")
        return response

    def _begin(self, reader_id: str) -> None:
        with self._lock:
            if self._under_way[reader_id] >= MOST_OF_ONE:
                why = f"{MOST_OF_ONE} exports of yours are under way already"
            elif self._under_way.total() >= AT_ONCE:
                why = f"{AT_ONCE} exports are under way already"
            else:
                self._under_way[reader_id] += 1
                return
        raise TooMany(f"{why}; ask again in {AGAIN} s", retry_after=AGAIN)

    def _end(self, reader_id: str) -> None:
        with self._lock:
            self._under_way[reader_id] -= 1
            self._under_way += Counter()  # drops the zeros


class _Lines:
    """Runs `ended` once when the response ends: WSGI calls close() even if the client left before the first line."""

    def __init__(self, lines: Iterator[str], ended: Callable[[], None]) -> None:
        self._pieces = _pieces(lines)
        self._ended: Callable[[], None] | None = ended

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended()


def _pieces(lines: Iterator[str]) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line.encode()
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)

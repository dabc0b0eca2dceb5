"""The journal, line by line, to whoever reads it: to a few at once, since each has a thread for as long as it takes."""

import threading
from collections.abc import Iterator
from typing import Literal

from flask import Response

from registrar.ledger.export import LINES, Entries
from webhooks.errors import TooMany

AT_ONCE = 2
AGAIN = 30  # seconds
# Bytes that are sent at once: a line each would be a change of thread each.
PIECE = 65_536
CONTENT_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
Form = Literal["jsonl", "csv"]


class Exports:
    """One for each way to them; shared by all threads."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def answer(self, entries: Entries, form: Form, *, name: str = "journal") -> Response:
        """name: of the file that a browser saves, without its ending. Raises TooMany."""
        if not self._free.acquire(blocking=False):
            raise TooMany(f"{AT_ONCE} exports are under way already; ask again in {AGAIN} s", retry_after=AGAIN)
        response = Response(_Lines(LINES[form](entries), self._free), content_type=CONTENT_TYPES[form])
        response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{form}")
        return response


class _Lines:
    """WSGI calls close() however it ends, also where whoever reads hung up before the first line."""

    def __init__(self, lines: Iterator[str], free: threading.BoundedSemaphore) -> None:
        self._pieces = _pieces(lines)
        self._free: threading.BoundedSemaphore | None = free

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        free, self._free = self._free, None
        if free:
            free.release()


def _pieces(lines: Iterator[str]) -> Iterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line.encode()
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)

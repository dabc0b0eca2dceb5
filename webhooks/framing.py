"""When a request has arrived whole: HTTP/1.1's framing, counted and not judged.

gunicorn's parser decides what is valid. Here it is only found out when it can do so without waiting for bytes; what
is malformed counts as whole, because the parser refuses it at once. https://www.rfc-editor.org/rfc/rfc9112#section-6
"""

import re

MAX_HEAD = 65_536  # request line and headers; honest senders' have 2 KB
_MAX_LINE = 1024  # of a chunk's size
_MAX_TRAILERS = 8192
_SPARE = 65_536  # bytes that chunks may add to a body
_LENGTH = re.compile(rb"[0-9]{1,12}")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class HeadTooLarge(Exception):
    """MAX_HEAD bytes have come, and the headers have not ended."""


class Framing:
    """Of one request. largest: a body announced or grown beyond it is not waited for, the application refuses it."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._seen = 0  # where the search for the end of the headers goes on
        self._body_at: int | None = None
        self._length: int | None = 0  # None: chunked
        self._chunk_at = self._chunked_bytes = 0
        self.expects_continue = False

    def end(self, arrived: bytearray) -> int | None:
        """How many bytes the request has, or None while some are missing. Raises HeadTooLarge."""
        if self._body_at is None and not self._read_head(arrived):
            return None
        assert self._body_at is not None  # noqa: S101 (for mypy)
        if self._length is None:
            return self._chunked_end(arrived, self._body_at)
        if self._length > self._largest:
            return len(arrived)
        end = self._body_at + self._length
        return end if len(arrived) >= end else None

    def _read_head(self, arrived: bytearray) -> bool:
        end = arrived.find(b"\r\n\r\n", self._seen, MAX_HEAD)
        if end < 0:
            if len(arrived) >= MAX_HEAD:
                raise HeadTooLarge
            self._seen = max(0, len(arrived) - 3)
            return False
        self._body_at = self._chunk_at = end + 4
        self._read_headers(bytes(arrived[:end]))
        return True

    def _read_headers(self, head: bytes) -> None:
        """A length that can't be told is 0: the parser has all it needs to refuse the request."""
        fields = [line.partition(b":") for line in head.lower().split(b"\r\n")[1:]]
        lengths = [value.strip() for name, _, value in fields if name == b"content-length"]
        codings = [value.strip() for name, _, value in fields if name == b"transfer-encoding"]
        self.expects_continue = any(name == b"expect" and b"100-continue" in value for name, _, value in fields)
        if codings == [b"chunked"] and not lengths:
            self._length = None
        elif len(lengths) == 1 and not codings and _LENGTH.fullmatch(lengths[0]):
            self._length = int(lengths[0])

    def _chunked_end(self, arrived: bytearray, body_at: int) -> int | None:
        if len(arrived) - body_at > self._largest + _SPARE:
            return len(arrived)
        while (line_end := arrived.find(b"\r\n", self._chunk_at)) >= 0:
            digits = bytes(arrived[self._chunk_at : line_end]).partition(b";")[0].strip()
            size = int(digits, 16) if _SIZE.fullmatch(digits) else -1
            if size < 0 or self._chunked_bytes + size > self._largest:
                return len(arrived)
            if size == 0:
                return _trailers_end(arrived, line_end + 2)
            following = line_end + 2 + size + 2
            if len(arrived) < following:
                return None
            if arrived[following - 2 : following] != b"\r\n":
                return len(arrived)
            self._chunked_bytes, self._chunk_at = self._chunked_bytes + size, following
        return len(arrived) if len(arrived) - self._chunk_at > _MAX_LINE else None


def _trailers_end(arrived: bytearray, at: int) -> int | None:
    if arrived[at : at + 2] == b"\r\n":
        return at + 2
    end = arrived.find(b"\r\n\r\n", at)
    if end >= 0:
        return end + 4
    return len(arrived) if len(arrived) - at > _MAX_TRAILERS else None

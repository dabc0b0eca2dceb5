"""Reads request bodies from an ASGI server: limits the time and size of each, and the memory of all."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from webhooks.ingress.errors import Incomplete, TooLarge, TooSlow, Unavailable

# Seconds for a body to arrive, from the first byte to the last; most senders wait no longer.
READ_SECONDS = 10.0
# Bytes of all large bodies in memory, each from its first byte until its response.
MOST_HELD = 33_554_432
# Bytes up to which a body is not counted as held: else a few clients that stall with large bodies would block all.
SMALL = 65_536

Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]


class BodyReader:
    """One per event loop."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, receive: Receive, *, limit: int, announced: int | None = None) -> bytes:
        """Read the whole body; it counts as held until `release`. The caller sets a deadline of READ_SECONDS.

        announced: Content-Length, if not checked yet. Raises TooLarge, Incomplete, Unavailable. The request that
        exceeds MOST_HELD is refused, not the largest one, since others may be nearly complete.
        """
        if announced and announced > limit:
            raise too_large(limit)
        body = bytearray()
        try:
            await self._collect(body, receive, limit)
        except BaseException:
            self.release(body)
            raise
        return bytes(body)

    def release(self, body: bytes | bytearray) -> None:
        """Stop counting a body as held."""
        self._held -= _counted(body)

    async def _collect(self, body: bytearray, receive: Receive, limit: int) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Incomplete
            before, more = _counted(body), message.get("more_body", False)
            body += message.get("body", b"")
            self._held += _counted(body) - before
            if len(body) > limit:
                raise too_large(limit)
            if self._held > MOST_HELD and len(body) > SMALL:
                raise Unavailable("too many large bodies at once; nothing was accepted, send it again")


def too_slow() -> TooSlow:
    """Return the error for a body that missed its deadline."""
    return TooSlow(f"the body did not arrive within {READ_SECONDS:.0f} s; send it again")


def _counted(body: bytes | bytearray) -> int:
    return len(body) if len(body) > SMALL else 0


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes, the most that is accepted here")

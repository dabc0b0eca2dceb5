"""One connection, while the lobby collects its bytes and while a thread answers it."""

import contextlib
import socket
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn

from webhooks.framing import Framing

_PIECE = 8192  # gunicorn's reader copies all that is left of a piece with each read


class Visitor(TConn):  # type: ignore[misc]
    """deadline: of what it is waiting for: its next request, the rest of it, or, with framing None, the other's end."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.initialized = True  # no TLS, no HTTP/2: a proxy's work
        self.arrived = bytearray()
        self.framing: Framing | None = None
        self.deadline = 0.0

    @property
    def idle(self) -> bool:
        return not self.arrived

    def over(self, now: float, *, stopping: bool) -> bool:
        """Whether it has waited long enough. stopping: nobody begins anything new."""
        return self.deadline <= now or (stopping and self.idle and self.framing is not None)

    def say(self, line: bytes) -> None:
        """Best effort: what does not fit into the kernel's buffer is not waited for."""
        with contextlib.suppress(OSError):
            self.sock.send(line)

    def take(self, end: int) -> None:
        """Give the parser the request's bytes, and after them nothing: it can't wait for more."""
        request = bytes(self.arrived[:end])
        del self.arrived[:end]
        pieces = (request[at : at + _PIECE] for at in range(0, end, _PIECE))
        self.parser = http.get_parser(self.cfg, pieces, self.client)

"""One connection, while the lobby collects its bytes and while a thread answers it."""

import contextlib
import re
import socket
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from gunicorn.config import Config
from gunicorn.http.message import HeaderPolicy, Request
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn

from webhooks.framing import Framing

# Header fields of letters, digits and hyphens, once each, with printable ASCII.
_PLAIN = re.compile(rb"[A-Za-z0-9-]+:[ -~]*(?:\r\n[A-Za-z0-9-]+:[ -~]*)*")
_PIECE = 8192  # gunicorn's reader copies all that is left of a piece with each read


class Visitor(TConn):  # type: ignore[misc]
    """deadline: of what it is waiting for: its next request, the rest of it, or, with framing None, the other's end.

    listened_to: the loop is told when it says something.
    """

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.sock: Any = sock
        self.initialized = True  # no TLS, no HTTP/2: a proxy's work
        self.arrived = bytearray()
        self.framing: Framing | None = None
        self.deadline = 0.0
        self.listened_to = False

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

    @contextlib.contextmanager
    def speaking(self) -> Iterator["Mouth"]:
        """Meanwhile what is written waits until it is complete."""
        sock = self.sock
        self.sock = mouth = Mouth(sock)
        try:
            yield mouth
        finally:
            self.sock = sock

    def take(self, end: int) -> None:
        """Give the parser the request's bytes, and after them nothing: it can't wait for more."""
        request = bytes(self.arrived[:end])
        del self.arrived[:end]
        pieces = (request[at : at + _PIECE] for at in range(0, end, _PIECE))
        self.parser = _Parser(self.cfg, pieces, self.client)


class _Request(Request):  # type: ignore[misc]
    """gunicorn's, which knows again what it read before: a connection's other end, and a sender's first line, are the
    same for each of its requests; and of plain headers nothing but their names is looked at one by one.
    """

    def _peer_is_trusted_proxy(self) -> bool:
        return _trusted(self.cfg, self.peer_addr)

    def parse_request_line(self, line_bytes: bytes) -> None:
        self.__dict__.update(_first_line(self.cfg, line_bytes))

    def parse_headers(self, data: bytes, from_trailer: bool = False) -> list[tuple[str, str]]:
        headers = None if from_trailer else self._plain(data)
        if headers is None:
            headers = super().parse_headers(data, from_trailer)
        return headers

    def _plain(self, data: bytes) -> list[tuple[str, str]] | None:
        """Where gunicorn would find nothing to drop, to refuse or to act upon; None: it is to look for itself."""
        if len(data) > self.limit_request_field_size or not _PLAIN.fullmatch(data):
            return None
        fields = [line.partition(":") for line in data.decode("ascii").split("\r\n")]
        headers = [(name.upper(), value.strip(" ")) for name, _, value in fields]
        names = {name for name, _ in headers}
        alone = len(names) == len(headers) <= self.limit_request_fields
        if not alone or "EXPECT" in names or not names.isdisjoint(self.cfg.secure_scheme_headers):
            return None
        return headers


@lru_cache(maxsize=256)
def _first_line(cfg: Config, line: bytes) -> dict[str, Any]:
    """Raises what gunicorn's parser does."""
    request = Request.__new__(Request)
    request.cfg = cfg
    request.parse_request_line(line)
    return {name: getattr(request, name) for name in ("method", "uri", "path", "query", "fragment", "version")}


@lru_cache(maxsize=1024)
def _trusted(cfg: Config, peer: Any) -> bool:
    policy = HeaderPolicy()
    policy.cfg, policy.peer_addr = cfg, peer
    return bool(policy._peer_is_trusted_proxy())


class _Parser(RequestParser):  # type: ignore[misc]
    mesg_class = _Request


class Mouth:
    """In place of a socket: says all in one go, and never waits for one who does not listen."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._said = bytearray()

    def sendall(self, data: bytes) -> None:
        self._said += data

    def send(self, data: bytes) -> int:
        self._said += data
        return len(data)

    def setblocking(self, flag: bool) -> None:
        """It is not, whoever asks."""

    def sent_all(self) -> bool:
        """False: the other side has not read what was said to it before, or is gone."""
        try:
            return self._sock.send(self._said) == len(self._said)
        except OSError:
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

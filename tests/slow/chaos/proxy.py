"""A small TCP proxy in front of MLflow that can misbehave: the harness changes its mood while calls go through."""

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

MOODS = ("pass", "refuse", "unavailable", "cut", "hang", "late")
LOOK = b"GET /api/2.0/mlflow/model-versions/search"
CREATE = b"POST /api/2.0/mlflow/model-versions/create"
WRITES = (b"POST /api/2.0/mlflow/model-versions/", b"POST /api/2.0/mlflow/registered-models/")
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a dying machine's router does


@dataclass
class Ambush:
    """What happens once, when the answer to a request that begins so is there, and before it is passed on."""

    prefixes: tuple[bytes, ...]
    act: Callable[[], object]
    sprung: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False  # an answer that comes later strikes nobody: who laid it has gone on

    def strike(self) -> None:
        with self.lock:
            if self.over or self.sprung.is_set():
                return
            self.sprung.set()
            with suppress(KeyError, ProcessLookupError):  # who was to be struck is being restarted just now
                self.act()


class Proxy:
    """mood: "pass"; "refuse" new connections; "unavailable" answers 503 and does nothing;
    "cut" does the work and resets the connection in place of a fifth of the answers; "hang" does not answer;
    "late" holds writes back until the client has given up, and does them then.
    """

    def __init__(self, port: int, *, seed: int) -> None:
        self.mood = "pass"
        self._target = ("127.0.0.1", port)
        self._chance = random.Random(seed)  # noqa: S311 (a seed makes it repeatable)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._closing = threading.Event()
        self._ambush: Ambush | None = None

    def ambush(self, prefixes: tuple[bytes, ...], act: Callable[[], object], *, within: float) -> bool:
        """Whether such a request came within so many seconds, and `act` was called between it and its answer."""
        self._ambush = laid = Ambush(prefixes, act)
        laid.sprung.wait(within)
        self._ambush = None
        with laid.lock:
            laid.over = True
        return laid.sprung.is_set()

    def serve(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed, or a client that was killed before
                continue
            threading.Thread(target=_Connection(self, client).serve, daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._listener.close()

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    def connect(self) -> socket.socket:
        return socket.create_connection(self._target, timeout=30)

    def unlucky(self) -> bool:
        return self._chance.random() < 0.2

    def laid_for(self, request: bytes) -> Ambush | None:
        laid = self._ambush
        return laid if laid and not laid.sprung.is_set() and request.startswith(laid.prefixes) else None


class _Connection:
    """One client's, and its own to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy, self._client = proxy, client
        self._ambush: Ambush | None = None

    def serve(self) -> None:
        if self._proxy.mood == "refuse":
            _reset(self._client)
            return
        try:
            self._server = self._proxy.connect()
        except OSError:
            _reset(self._client)
            return
        threading.Thread(target=self._answers, daemon=True).start()
        with suppress(OSError), self._client, self._server:
            self._requests()

    def _requests(self) -> None:
        while data := self._client.recv(65536):
            if self._proxy.mood == "unavailable":
                self._client.sendall(_UNAVAILABLE)
                return
            if self._proxy.mood == "late" and data.startswith(WRITES):
                self._late(data)
                return
            while self._proxy.mood == "hang" and not self._proxy.closing:
                time.sleep(0.1)
            self._ambush = self._proxy.laid_for(data)
            self._server.sendall(data)

    def _late(self, data: bytes) -> None:
        """The whole request reaches MLflow after its client has hung up: nobody hears the answer."""
        while more := self._client.recv(65536):
            data += more
        time.sleep(random.uniform(0, LATEST))  # noqa: S311 (a seed makes it repeatable)
        self._server.sendall(data)
        time.sleep(5)

    def _answers(self) -> None:
        with suppress(OSError), self._server:
            while data := self._server.recv(65536):
                if self._proxy.mood == "cut" and self._proxy.unlucky():
                    _reset(self._client)
                    return
                if laid := self._ambush:
                    laid.strike()
                self._client.sendall(data)


LATEST = 4.0  # seconds after its client has given up that a request may still reach MLflow


def _reset(client: socket.socket) -> None:
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.shutdown(socket.SHUT_RDWR)
        client.close()


@contextmanager
def proxy(port: int, *, seed: int) -> Iterator[Proxy]:
    made = Proxy(port, seed=seed)
    threading.Thread(target=made.serve, daemon=True).start()
    try:
        yield made
    finally:
        made.close()

"""A small TCP proxy in front of MLflow that can misbehave: the harness changes its mood while calls go through."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MOODS = ("pass", "refuse", "unavailable", "cut", "hang")
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a dying machine's router does


class Proxy:
    """mood: "pass"; "refuse" new connections; "unavailable" answers 503 and does nothing;
    "cut" does the work and resets the connection in place of a fifth of the answers; "hang" does not answer.
    """

    def __init__(self, port: int, *, seed: int) -> None:
        self.mood = "pass"
        self._target = ("127.0.0.1", port)
        self._chance = random.Random(seed)  # noqa: S311 (a seed makes it repeatable)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._closing = threading.Event()

    def serve(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._listener.close()

    def _connection(self, client: socket.socket) -> None:
        if self.mood == "refuse":
            _reset(client)
            return
        try:
            server = socket.create_connection(self._target, timeout=30)
        except OSError:
            _reset(client)
            return
        threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
        self._requests(client, server)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client, server:
            while data := client.recv(65536):
                if self.mood == "unavailable":
                    client.sendall(_UNAVAILABLE)
                    return
                while self.mood == "hang" and not self._closing.is_set():
                    time.sleep(0.1)
                server.sendall(data)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError), server:
            while data := server.recv(65536):
                if self.mood == "cut" and self._chance.random() < 0.2:
                    _reset(client)
                    return
                client.sendall(data)


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

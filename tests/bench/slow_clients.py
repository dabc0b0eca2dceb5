"""What honest senders notice of 200 that trickle: `python -m tests.bench.slow_clients`.

Each slow client sends a byte of a header, or of a body, every half second, and connects again when it is cut off.
"""

import http.client
import json
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.webhooks.conftest import finished, signed
from tests.webhooks.serving import serving, unbounded

SLOW, SENDERS, PAUSE = 200, 4, 0.5
_HEAD = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BEGINNINGS = {
    "header": _HEAD + b"X-Slow: ",
    "body": _HEAD + b"Content-Length: 4000\r\n\r\n{",
    "chunked body": _HEAD + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n{",
    "answer": _HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n",  # and never hangs up
}


@dataclass(frozen=True)
class Figures:
    answered: int
    refused: int
    median: float
    p99: float
    worst: float

    def __str__(self) -> str:
        times = ", ".join(f"{name} {getattr(self, name) * 1000:.0f} ms" for name in ("median", "p99", "worst"))
        return f"{self.answered} answered, {self.refused} not, {times}"


@contextmanager
def trickling(port: int, count: int = SLOW) -> Iterator[None]:
    """So many slow clients of all kinds, kept up by one thread until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=_trickle, args=(port, count, stop))
    thread.start()
    time.sleep(2)  # all are connected, and what they hold is held
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _trickle(port: int, count: int, stop: threading.Event) -> None:
    beginnings = list(BEGINNINGS.values())
    clients: list[socket.socket | None] = [None] * count
    while not stop.wait(PAUSE):
        for number in range(count):
            try:
                client = clients[number]
                if client is None:
                    clients[number] = client = socket.create_connection(("127.0.0.1", port), timeout=0.05)
                    client.sendall(beginnings[number % len(beginnings)])
                else:
                    client.send(b"a")
            except OSError:
                clients[number] = None
    for client in clients:
        if client:
            client.close()


def honest(port: int, *, seconds: float) -> Figures:
    """SENDERS that post one signed event after another, each over a new connection."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(SENDERS) as threads:
        found = [one for each in threads.map(lambda _: _send(port, until), range(SENDERS)) for one in each]
    times = sorted(took for status, took in found if status == 202)
    if not times:
        return Figures(0, len(found), float("inf"), float("inf"), float("inf"))
    return Figures(
        answered=len(times),
        refused=len(found) - len(times),
        median=times[len(times) // 2],
        p99=times[int(len(times) * 0.99)],
        worst=times[-1],
    )


def _send(port: int, until: float) -> list[tuple[int, float]]:
    found = []
    while time.monotonic() < until:
        body = json.dumps(finished(run_id=f"r{random.getrandbits(60)}")).encode()
        begin = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/webhooks/ci", body, signed(body))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        found.append((status, time.monotonic() - begin))
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder, workers=2, REGISTRAR_CONFIG=str(unbounded(folder))) as server:
            print("alone:        ", honest(server.port, seconds=10))
            with trickling(server.port):
                print(f"with {SLOW} slow:", honest(server.port, seconds=25))
                print(
                    "receiver: "
                    + " + ".join(f"{one.memory_info().rss / 2**20:.0f}" for one in server.workers())
                    + " MB"
                )
            print("after them:   ", honest(server.port, seconds=5))


if __name__ == "__main__":
    main()

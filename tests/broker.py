"""A Redis of a test's own."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from registrar.broker.redis_server import redis_server


@dataclass(frozen=True)
class Broker:
    """A Redis on a socket of its own: no port that another could have."""

    process: subprocess.Popen[bytes]
    socket: Path

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))


@contextmanager
def serve(folder: Path) -> Iterator[Broker]:
    options = ["--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder), "--save", ""]
    started = Broker(subprocess.Popen([redis_server(), *options], stdout=subprocess.DEVNULL), folder / "s")
    for _ in range(100):
        if started.socket.exists():
            break
        time.sleep(0.05)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()

"""A Redis on a port, which may be killed and started again."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from registrar.broker.redis_server import redis_server
from tests.links import LOOPBACK


class Server:
    """data: with an append-only file, as `up` runs it; a folder of its own is another Redis."""

    def __init__(self, data: Path, port: int) -> None:
        self._data, self.port = data, port
        self.start()

    def start(self) -> None:
        self._data.mkdir(exist_ok=True)
        options = ("--port", str(self.port), "--bind", LOOPBACK, "--dir", str(self._data))
        durable = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")
        self._process = subprocess.Popen([redis_server(), *options, *durable], stdout=subprocess.DEVNULL)
        while True:
            try:
                self.client.ping()
            except redis.RedisError:
                assert self._process.poll() is None, "redis-server ended"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def replace(self, data: Path) -> None:
        """By an empty one at the same address."""
        self.kill()
        self._data = data
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(LOOPBACK, self.port)


@contextmanager
def serve(data: Path, port: int) -> Iterator[Server]:
    server = Server(data, port)
    try:
        yield server
    finally:
        server.kill()

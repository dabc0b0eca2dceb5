"""When is a part ready? Each probe is one quick look, of a second at most.

They speak to 127.0.0.1 by themselves: no client library is loaded, and no proxy of the environment gets between.
"""

import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Protocol

LOOPBACK = "127.0.0.1"
SECONDS = 1.0


class Started(Protocol):
    """What a probe may ask of a process."""

    @property
    def age(self) -> float: ...
    def output(self) -> str: ...


class Probe(Protocol):
    def __call__(self, started: Started) -> bool: ...


@dataclass(frozen=True)
class HttpOk:
    """The first of these paths that exists answers 200."""

    port: int
    paths: tuple[str, ...]

    def __call__(self, started: Started) -> bool:
        try:
            statuses = (self._status(path) for path in self.paths)
            return next((status for status in statuses if status != 404), 404) == 200
        except (OSError, HTTPException):
            return False

    def _status(self, path: str) -> int:
        connection = HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()


@dataclass(frozen=True)
class RedisAnswers:
    """PONG; while Redis reads its append-only file it answers -LOADING."""

    port: int

    def __call__(self, started: Started) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@dataclass(frozen=True)
class Printed:
    """It wrote this text into its log since it was started."""

    text: str

    def __call__(self, started: Started) -> bool:
        return self.text in started.output()


@dataclass(frozen=True)
class Alive:
    """It has been running for so many seconds: for what has neither a port nor much to say."""

    seconds: float

    def __call__(self, started: Started) -> bool:
        return started.age >= self.seconds

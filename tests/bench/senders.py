"""Who sends during a burst: CI as fast as it is let, and a person in chat who notices how long an answer takes."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from registrar.http import signing
from registrar.local.installation import LOOPBACK
from tests.bench.load import LoadError

EVERY = 0.2  # seconds between two requests of the person's
_PATIENCE = 30  # seconds, of one request
Delivery = Callable[[int], tuple[bytes, dict[str, str]]]


def pour(port: int, path: str, make: Delivery, *, count: int, connections: int) -> float:
    """Post delivery 0 to count - 1 over so many kept connections, each the next one as soon as it is answered.

    Returns seconds until the last answer. Raises LoadError for anything but a 202.
    """
    numbers = itertools.count()

    def send() -> None:
        with closing(HTTPConnection(LOOPBACK, port, timeout=_PATIENCE)) as connection:
            while (number := next(numbers)) < count:
                sent, headers = make(number)  # signed now: a signature is taken for five minutes
                connection.request("POST", path, sent, headers)
                _expect(connection, 202)

    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as threads:
        for sender in [threads.submit(send) for _ in range(connections)]:
            sender.result()
    return time.perf_counter() - begun


class Person:
    """A context manager: while it is entered, somebody types `/registry history MODEL` every EVERY seconds.

    Each comes over a new connection, as from Slack; its time runs from when it was due, in seconds.
    """

    def __init__(self, port: int, secret: str, model: str) -> None:
        self.times: list[float] = []
        self._port, self._secret, self._model = port, secret, model
        self._stop = threading.Event()
        self._threads = ExitStack()

    def ask(self) -> None:
        """Once. Raises LoadError."""
        form = {
            "command": "/registry",
            "text": f"history {self._model}",
            "team_id": "T0001",
            "user_id": "U0001",
            "user_name": "ada",
            "trigger_id": uuid.uuid4().hex,
        }
        sent = urlencode(form).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        headers |= signing.slack(self._secret, timestamp=datetime.now(UTC), body=sent)
        with closing(HTTPConnection(LOOPBACK, self._port, timeout=_PATIENCE)) as connection:
            connection.request("POST", "/webhooks/slack", sent, headers)
            _expect(connection, 200)

    def _keep_asking(self) -> None:
        due = time.perf_counter()
        while not self._stop.wait(max(0.0, due - time.perf_counter())):
            self.ask()
            self.times.append(time.perf_counter() - due)
            due += EVERY

    def __enter__(self) -> Self:
        self._asking = self._threads.enter_context(ThreadPoolExecutor(1)).submit(self._keep_asking)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._threads.close()
        if error is None:
            self._asking.result()


def _expect(connection: HTTPConnection, status: int) -> None:
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != status:
        raise LoadError(f"answered with {answer.status}, not {status}: {said[:300]!r}")

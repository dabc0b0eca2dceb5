"""No answer that drips holds a command up, and none of another program's is a fault of ours."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from registrar.http import api_client, event_client
from registrar.http.api_client import Client
from registrar.http.deadline import within_deadline
from registrar.http.event_client import NotTaken, Unreachable, deliver, follow
from registrar.ledger.queries.event_search import EventFilter
from registrar.queries.remote import RemoteQueries

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def answering(say: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that takes whatever it is sent, and says this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=heard, args=(connection,), daemon=True).start()

        def heard(connection: socket.socket) -> None:
            with connection:
                connection.recv(65_536)
                try:
                    say(connection)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def drip(connection: socket.socket) -> None:
    connection.sendall(JSON % 100_000)
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def test_what_drips_ends_a_wait_when_its_time_is_over():
    began = time.monotonic()
    with answering(drip) as url, pytest.raises(Unreachable, match="no whole answer within 1 s"):
        follow(f"{url}/v1/events/evt_1", seconds=0.2)
    assert time.monotonic() - began < 10


def test_what_drips_ends_a_request(monkeypatch):
    monkeypatch.setattr(event_client, "WHOLE", 0.3)
    monkeypatch.setattr(api_client, "WHOLE", 0.3)
    with answering(drip) as url:
        with pytest.raises(Unreachable, match="does not answer in time"):
            deliver(url, b"{}", {})
        with pytest.raises(Unreachable, match="does not answer in time"):
            Client(url).get("overview")


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_an_answer_that_is_no_object_is_another_programs(body: object):
    said = json.dumps(body).encode()
    with answering(lambda connection: connection.sendall(JSON % len(said) + said)) as url:
        with pytest.raises(NotTaken, match="does not answer as a receiver of Registrar"):
            RemoteQueries(Client(url)).overview()
        with pytest.raises(Unreachable, match="no answer of a receiver's"):
            follow(url, seconds=0)


def test_an_answer_that_lacks_what_this_version_says_is_another_ones():
    said = b'{"items": []}'
    with answering(lambda connection: connection.sendall(JSON % len(said) + said)) as url:
        remote = RemoteQueries(Client(url))
        with pytest.raises(NotTaken, match="the answer has no 'events'"):
            remote.events(EventFilter())
        with pytest.raises(NotTaken, match="the answer has no 'unfinished'"):
            remote.overview()["unfinished"]


def test_an_error_within_it_is_raised():
    with pytest.raises(ZeroDivisionError):
        within_deadline(5, lambda: 1 / 0)

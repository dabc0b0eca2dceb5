"""Links break as they say they do."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.links import LOOPBACK, Link

SHORT = 0.5  # seconds without an answer; the positive waits are 10


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that answers with what it was sent."""

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    listener = socket.create_server((LOOPBACK, 0))
    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def link(echo: int) -> Iterator[Link]:
    with Link(echo) as made:
        yield made


def call(link: Link) -> socket.socket:
    return socket.create_connection((LOOPBACK, link.port), timeout=10)


def says(client: socket.socket, data: bytes = b"hello") -> bytes | None:
    """What comes back to `data`; None where it is silence."""
    client.sendall(data)
    return hears(client, SHORT)


def hears(client: socket.socket, seconds: float) -> bytes | None:
    client.settimeout(seconds)
    try:
        return client.recv(65536)
    except TimeoutError:
        return None


def test_it_passes_on_what_is_said_and_that_it_ends(link):
    said = b"x" * 3_000_000
    with call(link) as client:
        threading.Thread(target=lambda: (client.sendall(said), client.shutdown(socket.SHUT_WR))).start()
        assert b"".join(iter(lambda: client.recv(65536), b"")) == said
    assert link.accepted == 1


def test_a_held_link_delivers_late(link):
    with call(link) as client:
        link.mode = "hold"
        assert says(client) is None
        link.mode = "pass"
        assert hears(client, 10) == b"hello"


def test_a_silent_link_tells_nobody_and_its_connections_are_lost_for_good(link):
    with call(link) as old:
        assert says(old) == b"hello"
        link.mode = "silent"
        with call(link) as young:
            assert [says(old), says(young)] == [None, None]
            link.mode = "pass"
            assert [says(old), says(young)] == [None, None]
    with call(link) as new:
        assert says(new) == b"hello"


def test_a_cut_link_resets_what_there_is_and_refuses_what_comes(link):
    with call(link) as client:
        assert says(client) == b"hello"
        link.mode = "cut"
        with pytest.raises(ConnectionResetError):
            hears(client, 10)
    with pytest.raises(ConnectionRefusedError):
        call(link)
    link.mode = "pass"
    with call(link) as again:
        assert says(again) == b"hello"


def test_a_partition_may_end_in_a_reset(link):
    with call(link) as client:
        link.mode = "hold"
        assert says(client) is None
        link.mode = "cut"
        with pytest.raises(ConnectionResetError):
            hears(client, 10)


def test_nothing_of_it_is_left_behind(echo):
    with Link(echo) as link, call(link), call(link) as client:
        link.mode = "silent"
        link.close()
        with pytest.raises(ConnectionResetError):
            hears(client, 10)
    assert not [thread.name for thread in threading.enumerate() if thread.name == f"link to {echo}"]

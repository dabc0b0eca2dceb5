"""The real server with senders that dawdle, chatter or pile up: whoever is honest is answered."""

import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import events
from tests.bench.slow_clients import SLOW, trickling
from tests.webhooks.conftest import finished, signed
from tests.webhooks.test_gunicorn import CONFIG, Server, port_of, start

Opened = Callable[..., Server]
# Most tests take their time, whatever else the machine does; a few want to see what happens when it is over.
# One process: what is looked at here, each does by itself.
PATIENT = CONFIG + "workers = 1\ngunicorn_conf.READ_SECONDS = 30\n"
HURRIED = "gunicorn_conf.READ_SECONDS = 1\n"
HEAD = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Servers by their extra configuration, each started once."""
    made: dict[str, Server] = {}

    def open_(extra: str = "") -> Server:
        if extra not in made:
            folder = tmp_path_factory.mktemp("lobby")
            ledger = Ledger(f"sqlite:///{folder}/ledger.db")
            migrate(ledger)
            process = start(folder, config=PATIENT + extra)
            made[extra] = Server(port_of(process), process, ledger)
        return made[extra]

    yield open_
    for server in made.values():
        server.process.terminate()
        server.process.wait(30)
        server.ledger.close()


def deliver(server: Server, run_id: str) -> int:
    body = json.dumps(finished(run_id=run_id)).encode()
    return server.post(body, signed(body))[0]


def request(run_id: str, *more: str) -> bytes:
    """A signed one, as bytes; more: headers."""
    body = json.dumps(finished(run_id=run_id)).encode()
    lines = [f"{name}: {value}" for name, value in signed(body).items()]
    head = "\r\n".join(["POST /webhooks/ci HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, *more])
    return head.encode() + b"\r\n\r\n" + body


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def to_the_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def statuses(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 ([0-9]{3})", answers)


def test_among_200_senders_that_trickle_an_honest_one_is_answered(opened: Opened):
    server = opened()
    with trickling(server.port):
        assert [deliver(server, f"among{number}") for number in range(20)] == [202] * 20
    assert SLOW == 200


@pytest.mark.parametrize("begun", [HEAD + b"X-Slow: ", HEAD + b"Content-Length: 4000\r\n\r\n{", b"P"])
def test_a_request_that_does_not_arrive_in_time_is_408_however_busily_it_trickles(opened: Opened, begun: bytes):
    with connect(opened(HURRIED)) as connection:
        connection.sendall(begun)
        connection.settimeout(0.2)
        answer = b""
        for _ in range(100):
            try:
                answer = connection.recv(4096)
                break
            except TimeoutError:
                connection.sendall(b"a")
        assert statuses(answer) == [b"408"]


def test_a_connection_that_says_nothing_is_closed_without_a_word(opened: Opened):
    with connect(opened(HURRIED)) as connection:
        assert to_the_end(connection) == b""


def test_headers_without_an_end_are_431(opened: Opened):
    with connect(opened()) as connection:
        connection.sendall(HEAD + b"X-Long: " + b"a" * 70_000)
        assert statuses(to_the_end(connection)) == [b"431"]


def test_requests_that_come_at_once_are_answered_one_after_the_other(opened: Opened):
    server, before = opened(), opened().count(events)
    with connect(server) as connection:
        connection.sendall(request("first") + request("second") + request("third", "Connection: close"))
        assert statuses(to_the_end(connection)) == [b"202"] * 3
    assert server.count(events) == before + 3


def test_what_a_sender_says_while_it_is_being_answered_is_heard_afterwards(opened: Opened):
    server, before = opened(), opened().count(events)
    with connect(server) as connection, connect(server) as gone:
        with server.ledger.write():  # nobody else can write, so nothing is answered
            connection.sendall(request("now"))
            gone.sendall(request("gone"))
            time.sleep(0.3)
            connection.sendall(request("later"))
            gone.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
            connection.sendall(request("last", "Connection: close"))
        assert statuses(to_the_end(connection)) == [b"202"] * 3
        assert statuses(to_the_end(gone)) == [b"202"]
    assert server.count(events) == before + 4


def test_a_request_that_comes_byte_by_byte_is_taken_whole(opened: Opened):
    with connect(opened()) as connection:
        for byte in request("bytes", "Connection: close"):
            connection.sendall(bytes([byte]))
        assert statuses(to_the_end(connection)) == [b"202"]


def test_a_connection_is_kept_for_the_next_request_though_a_body_was_refused_unread(opened: Opened):
    server = opened()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/webhooks/ci", body=b"x" * 3000, headers={"Content-Type": "text/plain"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()[:1]) == (415, b"{")
    body = json.dumps(finished(run_id="kept")).encode()
    connection.request("POST", "/webhooks/ci", body=body, headers=signed(body))
    assert connection.getresponse().status == 202
    connection.close()


def test_a_sender_that_asks_first_is_told_to_go_on(opened: Opened):
    """curl does so for bodies over 1 MB: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1"""
    head, _, body = request("asks", "Expect: 100-continue", "Connection: close").partition(b"\r\n\r\n")
    with connect(opened()) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert statuses(to_the_end(connection))[-1] == b"202"


@pytest.mark.parametrize("cut", [10, 100, -40, -1])
def test_a_sender_that_hangs_up_halfway_leaves_nothing(opened: Opened, cut: int):
    server, before = opened(), opened().count(events)
    with connect(server) as connection:
        connection.sendall(request("halfway", "Connection: close")[:cut])
        connection.shutdown(socket.SHUT_WR)
        assert statuses(to_the_end(connection)) in ([], [b"400"])
    assert server.count(events) == before


@pytest.mark.parametrize("framing", [b"Content-Length: 30\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1e\r\n"])
def test_the_first_part_of_a_body_is_never_taken_for_the_whole(opened: Opened, framing: bytes):
    """A token, unlike a signature, would vouch for it too."""
    with connect(opened()) as connection:
        connection.sendall(HEAD + b"Connection: close\r\n" + framing + b"text=approve+taxi+3")
        connection.shutdown(socket.SHUT_WR)
        answer = to_the_end(connection)
        assert statuses(answer) == [b"400"]
        assert b"incomplete" in answer


def test_when_connections_run_out_the_one_that_waited_longest_makes_room(opened: Opened):
    server = opened("worker_connections = 40\n")
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(60)]
        assert [deliver(server, f"room{number}") for number in range(5)] == [202] * 5
        assert to_the_end(idle[0]) == b""


def test_unfinished_bodies_never_fill_the_memory(opened: Opened):
    """Of 20 senders with 50,000 bytes each, a limit of 200,000 keeps the last few; the others are cut off."""
    server = opened("from webhooks import lobby\nlobby.MOST_WAITING = 200_000\n")
    begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f00\r\n" + b"a" * 0xF00 + b"\r\n"
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(80)]
        for connection in connections:
            connection.sendall(begun)
        assert deliver(server, "memory") == 202
        time.sleep(0.1)
        assert sum(_is_cut_off(connection) for connection in connections) >= 20


def _is_cut_off(connection: socket.socket) -> bool:
    """Without an answer: it made room."""
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_a_term_lets_the_request_in_hand_be_answered(tmp_path: Path):
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    migrate(ledger)
    process = start(tmp_path, config=PATIENT)
    server = Server(port_of(process), process, ledger)
    with connect(server) as half, connect(server) as idle:
        whole = request("term", "Connection: close")
        half.sendall(whole[:200])
        assert deliver(server, "before") == 202  # so both are in the lobby
        process.terminate()
        half.sendall(whole[200:])
        assert statuses(to_the_end(half)) == [b"202"]
        assert to_the_end(idle) == b""
    assert process.wait(30) == 0
    assert server.count(events) == 2
    ledger.close()


def test_who_leaves_answers_unread_is_hung_up_on_and_keeps_nobody_waiting(opened: Opened):
    server = opened("threads = 31\n")  # one of its own, since it is soon tired of this address

    def flood(deaf: socket.socket) -> None:
        for number in range(3000):  # of a megabyte of answers, 256 KiB fit into the kernel's buffer
            deaf.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            if number % 500 == 0:
                assert deliver(server, f"beside{number}") == 202
        for _ in range(600):
            deaf.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
            time.sleep(0.1)

    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(20)
        deaf.connect(("127.0.0.1", server.port))
        with pytest.raises(ConnectionError):
            flood(deaf)

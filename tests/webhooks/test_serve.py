"""The real receiver over real HTTP, with senders that are honest, broken, slow, or pile up."""

import http.client
import json
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.tables import events, rejections, tasks
from tests.bench.slow_clients import SLOW, trickling
from tests.mlflow_server import free_port
from tests.webhooks.conftest import REGISTRAR_YML, finished, signed
from tests.webhooks.serving import Server, request, serving, start, statuses, to_the_end, unbounded
from webhooks.app import CANNOT_START

Opened = Callable[..., Server]
HEAD = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
# Most tests take their time, whatever else the machine does; a few want to see what happens when it is over.
PATIENT = """
from webhooks import serve
from webhooks.ingress import body_reader, error_handlers
body_reader.READ_SECONDS = 30
serve.HEAD_TIMEOUT = 30_000
error_handlers.REFUSALS = "100000/minute"
"""
RELOADS = "from webhooks import asgi\nasgi.OLD_SECONDS = 0.2\n"
ENDLESS = """
import itertools
from webhooks.api import journal_export
journal_export.LINES = {"jsonl": lambda entries: itertools.repeat("x" * 1_000)}
"""
HURRIED = f"{PATIENT}body_reader.READ_SECONDS = 1\nserve.HEAD_TIMEOUT = 1000\n"
_ACCEPTED = re.compile(r"^registrar_webhook_events_total\{.*\} (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Receivers of one process, by what is changed in them; each is started once."""
    made: dict[str, Server] = {}
    with ExitStack() as stack:

        def open_(changes: str = PATIENT) -> Server:
            if changes not in made:
                made[changes] = stack.enter_context(serving(tmp_path_factory.mktemp("serve"), changes=changes))
            return made[changes]

        yield open_


@pytest.fixture
def server(opened: Opened) -> Server:
    return opened()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Server]:
    """A receiver of two processes."""
    with serving(tmp_path, workers=2, changes=PATIENT) as server:
        yield server


# What is accepted, and what is not.


def test_eight_identical_deliveries_at_once_are_one_event(server: Server):
    body = json.dumps(finished(run_id="eight")).encode()
    headers = signed(body, id="msg_eight")
    before = server.count(events)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: server.post(body, headers), range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [202]
    assert len({answer["events"][0]["id"] for _, answer in answers}) == 1
    assert server.count(events) == before + 1
    assert server.count(tasks) == server.count(events)


def test_a_burst_of_deliveries_from_sixteen_senders_is_all_accepted(server: Server):
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda number: server.deliver(f"burst{number}"), range(200))) == {202}


def test_a_chunked_body_is_taken_whole(server: Server):
    body = json.dumps(finished(run_id="chunked")).encode()
    status, _ = server.post(iter([body[:10], body[10:]]), signed(body), chunked=True)
    assert status == 202


def test_a_chunked_body_over_the_limit_is_413_and_never_its_first_part(server: Server):
    """Padded with blanks, its first 4096 bytes would be valid JSON; they are what the signature is for, too."""
    body = json.dumps(finished(run_id="cut")).encode().ljust(4096)
    before = server.count(events)
    status, problem = server.post(iter([body, b" " * 4096]), signed(body), chunked=True)
    assert (status, problem["code"]) == (413, "too_large")
    assert server.count(events) == before


def test_an_announced_body_over_the_limit_is_413_before_it_is_sent(server: Server):
    assert statuses(server.raw(HEAD + b"Content-Length: 9999999999\r\n\r\n")) == [413]


def test_a_sender_that_is_still_sending_when_it_is_refused_can_read_why(server: Server):
    for size in (5_000, 60_000, 1_000_000):
        answer = requests.post(f"{server.url}/webhooks/ci", data=b"x" * size, headers=signed(b"x"), timeout=20)
        assert (answer.status_code, answer.headers["Connection"]) == (413, "close")


def test_a_form_for_a_page_has_a_limit_too(server: Server):
    answer = requests.post(f"{server.url}/v1/commands", data=b"x" * 70_000, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_large_body_is_taken_where_the_source_may_send_it(tmp_path: Path):
    wide = tmp_path / "wide.yml"
    wide.write_text(REGISTRAR_YML.replace("max_bytes: 4096", "max_bytes: 500000"))
    body = json.dumps(finished(run_id="large")).encode().ljust(400_000)
    with serving(tmp_path, REGISTRAR_CONFIG=str(wide)) as server:
        assert server.post(body, signed(body))[0] == 202
        assert server.post(body[:-1], signed(body))[0] == 401


def test_repeated_signature_headers_are_401(server: Server):
    body = json.dumps(finished()).encode()
    headers = signed(body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        doubled = "\r\n".join([*lines, f"{name}: {headers[name]}", f"Content-Length: {len(body)}"])
        head = f"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{doubled}\r\n\r\n"
        assert statuses(server.raw(head.encode() + body)) == [401]


def test_a_strange_host_header_does_no_harm_to_what_was_accepted(server: Server):
    for number, host in enumerate(("a b", "x:y", "[", "\xff", "", "evil.example/..", "x\r\nHost: y")):
        body = json.dumps(finished(run_id=f"host{number}")).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
        head = f"POST /webhooks/ci HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}Content-Length: {len(body)}"
        [status] = statuses(server.raw(head.encode("latin-1") + b"\r\n\r\n" + body))
        with server.ledger.read() as connection:
            accepted = connection.execute(select(events).where(events.c.data["run_id"].as_string() == f"host{number}"))
            assert (status == 202) == bool(accepted.all()), host
        assert status < 500, host


def test_a_header_with_an_underscore_is_nobodys_and_becomes_no_part_of_a_path(server: Server):
    """WSGI can't tell X_Forwarded_User from X-Forwarded-User; and SCRIPT_NAME stands before each path."""

    def asked(path: str, *lines: str) -> bytes:
        head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Connection: close", *lines])
        return server.raw(f"{head}\r\n\r\n".encode())

    usual = asked("/v1/policy")
    assert statuses(usual) == [200]
    assert statuses(asked("/v1/policy", "X-Forwarded-For: 203.0.113.9")) == [401]
    assert statuses(asked("/v1/policy", "X_Forwarded_For: 203.0.113.9")) == [200]
    for name in ("SCRIPT_NAME", "Script-Name", "PATH_INFO", "X-Script-Name", "X-Forwarded-Prefix"):
        assert statuses(asked("/webhooks/v1/policy", f"{name}: /webhooks")) in ([404], [401])
        assert b"/webhooks/v1" not in asked("/v1/policy", f"{name}: /webhooks")


# Connections: kept, pipelined, left halfway.


def test_requests_that_come_at_once_are_answered_one_after_the_other(server: Server):
    before = server.count(events)
    answers = server.raw(request("first") + request("second") + request("third", "Connection: close"))
    assert statuses(answers) == [202] * 3
    assert server.count(events) == before + 3


def test_what_a_sender_says_while_it_is_being_answered_is_heard_afterwards(server: Server):
    before = server.count(events)
    with server.connect() as connection, server.ledger.write():  # nobody else can write, so nothing is answered
        connection.sendall(request("now"))
        time.sleep(0.3)
        connection.sendall(request("later"))
        time.sleep(0.3)
        connection.sendall(request("last", "Connection: close"))
        waiting = connection.dup()
    assert statuses(to_the_end(waiting)) == [202] * 3
    waiting.close()
    assert server.count(events) == before + 3


def test_a_request_that_comes_byte_by_byte_is_taken_whole(server: Server):
    with server.connect() as connection:
        for byte in request("bytes", "Connection: close"):
            connection.sendall(bytes([byte]))
        assert statuses(to_the_end(connection)) == [202]


def test_a_connection_is_kept_for_the_next_request_where_a_whole_one_was_refused(server: Server):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        for headers, expected in ((signed(b"x"), 401), (None, 202)):
            body = json.dumps(finished(run_id="kept")).encode()
            connection.request("POST", "/webhooks/ci", body=body, headers=headers or signed(body))
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Connection"], answer.read()[:1]) == (expected, None, b"{")


def test_a_sender_that_asks_first_is_told_to_go_on_once(server: Server):
    """curl does so for bodies over 1 MB: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1"""
    head, _, body = request("asks", "Expect: 100-continue", "Connection: close").partition(b"\r\n\r\n")
    with server.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert statuses(to_the_end(connection)) == [202]


def test_a_sender_that_asks_first_is_refused_without_its_body(server: Server):
    asked = HEAD + b"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n"
    assert statuses(server.raw(asked)) == [413]


@pytest.mark.parametrize("cut", [10, 100, -40, -1])
def test_a_sender_that_hangs_up_halfway_leaves_nothing(server: Server, cut: int):
    before = server.count(events)
    with server.connect() as connection:
        connection.sendall(request("halfway", "Connection: close")[:cut])
        connection.shutdown(socket.SHUT_WR)
        assert statuses(to_the_end(connection)) in ([], [400])
    assert server.count(events) == before


@pytest.mark.parametrize("framing", [b"Content-Length: 30\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1e\r\n"])
def test_the_first_part_of_a_body_is_never_taken_for_the_whole(server: Server, framing: bytes):
    """A token, unlike a signature, would vouch for it too."""
    with server.connect() as connection:
        connection.sendall(HEAD + b"Connection: close\r\n" + framing + b"text=approve+taxi+3")
        connection.shutdown(socket.SHUT_WR)
        assert statuses(to_the_end(connection)) in ([], [400])
    _until(lambda: "incomplete_body" in _codes(server), server)


def _codes(server: Server) -> set[str]:
    with server.ledger.read() as connection:
        return set(connection.execute(select(rejections.c.code)).scalars())


# Senders that are slow, or many.


@pytest.mark.parametrize("begun", [b"Content-Length: 4000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\nfff\r\n{"])
def test_a_body_that_does_not_arrive_in_time_is_408_however_busily_it_trickles(opened: Opened, begun: bytes):
    assert statuses(_trickled(opened(HURRIED), HEAD + begun)) == [408]


@pytest.mark.parametrize("begun", [b"", b"P", HEAD, HEAD + b"X-Slow: "])
def test_a_head_that_does_not_arrive_in_time_ends_the_connection(opened: Opened, begun: bytes):
    assert _trickled(opened(HURRIED), begun, quiet=not begun) == b""


def _trickled(server: Server, begun: bytes, *, quiet: bool = False) -> bytes:
    with server.connect(seconds=0.2) as connection:
        connection.sendall(begun)
        for _ in range(50):
            try:
                return connection.recv(4096)
            except TimeoutError:
                connection.sendall(b"" if quiet else b"a")
            except ConnectionResetError:
                return b""
    raise AssertionError("it waits for ten seconds")


def test_a_kept_connection_that_says_nothing_more_is_closed(opened: Opened):
    with opened(HURRIED).connect() as connection:
        connection.sendall(request("quiet"))
        assert statuses(to_the_end(connection)) == [202]


def test_a_sign_ins_end_may_have_a_code_of_16_kib(server: Server):
    """Providers' codes are long; this receiver has no provider, and says so."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", f"/signin/callback?state={'s' * 43}&code={'c' * 16_384}")
        assert connection.getresponse().status == 404


def test_headers_without_an_end_are_431(server: Server):
    assert statuses(server.raw(HEAD + b"X-Long: " + b"a" * 200_000)) == [431]


def test_among_200_senders_that_trickle_an_honest_one_is_answered(server: Server):
    with trickling(server.port):
        assert [server.deliver(f"among{number}") for number in range(20)] == [202] * 20
    assert SLOW == 200


def test_when_connections_run_out_a_new_one_waits_until_idle_ones_are_closed(opened: Opened):
    server = opened(f"{HURRIED}serve.CONNECTIONS = 40\n")
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(server.connect())
        assert [server.deliver(f"room{number}") for number in range(5)] == [202] * 5


def test_unfinished_bodies_never_fill_the_memory(opened: Opened):
    """Of 80 senders with 3,840 bytes each, a bound of 200,000 leaves 52; the others are refused. A small body always
    has room: who stalls silences nobody else.
    """
    server = opened(f"{PATIENT}body_reader.MOST_HELD = 200_000\nbody_reader.SMALL = 1000\n")
    begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f00\r\n" + b"a" * 0xF00 + b"\r\n"
    with ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(80)]
        for connection in connections:
            connection.sendall(begun)
        time.sleep(0.5)
        refused = [answer for answer in map(_said, connections) if answer]
        assert 20 <= len(refused) <= 40
        assert [server.deliver(f"small{number}") for number in range(5)] == [202] * 5
        assert {*statuses(b"".join(refused))} == {503}
        assert all(b"retry-after: 5\r\n" in answer.lower() and b"unavailable" in answer for answer in refused)
    _until(lambda: server.deliver("memory") == 202, server)
    big = HEAD + b"Content-Length: 4000\r\n\r\n" + b"a" * 4000
    assert {statuses(server.raw(big.replace(b"Host: x", b"Connection: close\r\nHost: x")))[0] for _ in range(60)} == {
        401
    }, "what was answered is not held any more"


def _said(connection: socket.socket) -> bytes:
    """What there is to read now."""
    connection.setblocking(False)
    try:
        return connection.recv(4096)
    except BlockingIOError:
        return b""


def test_who_leaves_answers_unread_is_hung_up_on_and_keeps_nobody_waiting(opened: Opened):
    """Each of these holds a connection; without an end to it, CONNECTIONS of them would be the end of the receiver."""
    server = opened(f"{PATIENT}serve.CONNECTIONS = 40\nserve.UNREAD_TIMEOUT = 1000\n")
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(_deaf(server, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50))
        assert [server.deliver(f"beside{number}") for number in range(5)] == [202] * 5


def _deaf(server: Server, sent: bytes) -> socket.socket:
    """A client that reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.sendall(sent)
    return client


def test_after_all_that_the_process_keeps_less_than_60_megabytes_to_itself_and_has_no_traceback(server: Server):
    """What processes share, the application above all, was loaded once."""
    [worker] = server.workers()
    assert worker.memory_full_info().uss < 60 * 2**20
    assert "Traceback" not in server.log.read_text()
    assert server.count(rejections) > 0


def test_an_export_ends_when_whoever_asked_for_it_has_gone(opened: Opened):
    """Two are made at once, so that a third would be refused while these go on."""
    server = opened(f"{PATIENT}{ENDLESS}")

    def begins() -> bool:
        with server.connect() as connection:
            connection.sendall(b"GET /v1/audit HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return statuses(connection.recv(1_000)) == [200]

    for _ in range(4):
        _until(begins, server)


# Two processes.


def test_whichever_process_is_asked_tells_what_all_have_counted(pair: Server):
    def accepted() -> set[float]:
        """As each of many connections is told it: by one process or another."""
        texts = [requests.get(f"{pair.url}/metrics", timeout=10).text for _ in range(20)]
        counted = [_ACCEPTED.search(text) for text in texts]
        return {float(found[1]) if found else 0.0 for found in counted}

    [before] = accepted()
    for number in range(20):
        assert pair.deliver(f"counted{number}") == 202
    assert accepted() == {before + 20}
    [folder] = {path for worker in pair.workers() for path in _counted_in(worker)}
    assert folder.is_dir()
    pair.process.terminate()
    pair.process.wait(30)
    assert not folder.exists()


def _counted_in(process: psutil.Process) -> set[Path]:
    return {Path(file.path).parent for file in process.open_files() if "/registrar-counted-" in file.path}


def test_a_process_that_is_killed_is_replaced_and_what_it_answered_is_there(pair: Server):
    accepted = sum(pair.deliver(f"before{number}") == 202 for number in range(10))
    first, second = pair.workers()
    first.kill()
    _until(lambda: len({*pair.workers()} - {first, second}) == 1, pair)
    _until(lambda: pair.deliver("after") == 202, pair)
    assert pair.count(events) == accepted + 1
    assert second.is_running()


def test_workers_end_when_the_first_process_is_killed(tmp_path: Path):
    """Nobody would stop them; and the next receiver could not start, as they hold the port."""
    with serving(tmp_path, workers=2, changes=PATIENT) as server:
        workers = server.workers()
        server.process.kill()
        gone, alive = psutil.wait_procs(workers, timeout=30)
        assert (len(gone), alive) == (2, [])


# Starting, reloading, stopping.


def test_a_receiver_that_can_not_start_says_why_and_stops(tmp_path: Path):
    Ledger(f"sqlite:///{tmp_path}/ledger.db").close()
    process = start(tmp_path, port=free_port(), CI_SECRET="weak")
    assert process.wait(30) == CANNOT_START
    log = (tmp_path / "receiver.log").read_text()
    assert "the receiver can't start: sources.ci.secrets: env:CI_SECRET" in log
    assert "weak" not in log
    assert "Traceback" not in log


def test_a_port_that_is_taken_is_said(tmp_path: Path, server: Server):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with serving(tmp_path) as unused:
            unused.process.terminate()
        process = start(tmp_path, port=other.getsockname()[1])
        assert process.wait(60) != 0
    assert "in use" in (tmp_path / "receiver.log").read_text()


def _until(reached: Callable[[], bool], server: Server) -> None:
    for _ in range(200):
        if reached():
            return
        time.sleep(0.1)
    raise AssertionError(server.log.read_text()[-5000:])


def test_told_to_it_reads_registrar_yml_again_and_goes_on_with_the_old_one_where_the_new_is_wrong(tmp_path: Path):
    body = json.dumps(finished()).encode()
    with serving(tmp_path, workers=2, changes=PATIENT) as server:
        file = tmp_path / "registrar.yml"

        def answered(source: str) -> int:
            return server.post(body, signed(body), source=source)[0]

        assert (answered("ci"), answered("renamed")) == (202, 404)
        file.write_text(file.read_text().replace("  ci:\n", "  renamed:\n"))
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: answered("renamed") == 202, server)
        _until(lambda: {answered("ci") for _ in range(20)} == {404}, server)
        file.write_text("version: 1\nnonsense: 1\n")
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: "nothing was changed" in server.log.read_text(), server)
        assert re.search("ERROR .* nothing was changed: .*nonsense", server.log.read_text())
        assert "can't start" not in server.log.read_text()
        _until(lambda: {answered("renamed") for _ in range(20)} == {202}, server)
        server.process.terminate()
        assert server.process.wait(30) == 0


def test_a_fault_while_it_reads_registrar_yml_again_changes_nothing(tmp_path: Path):
    """Of ours, or of the moment: what is raised is no SystemExit, and would end the loop that stops workers."""
    fault = tmp_path / "fault"
    raises = f"{PATIENT}from pathlib import Path\nif Path({str(fault)!r}).exists(): raise OSError('no more files')\n"
    with serving(tmp_path, changes=raises) as server:
        fault.touch()
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: "nothing was changed: no more files" in server.log.read_text(), server)
        assert server.deliver("after") == 202
        fault.unlink()
        server.process.send_signal(signal.SIGHUP)
        _until(lambda: reloaded(server) == 1, server)
        server.process.terminate()
        assert server.process.wait(30) == 0


class Sender:
    """Posts one event after another without a pause; kept: over one connection, as long as the other side keeps it."""

    def __init__(self, server: Server, *, kept: bool) -> None:
        self.answers: list[int] = []
        self.unanswered: list[str] = []
        self._server, self._kept = server, kept
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=20)
        while not self._stop.is_set():
            fresh = connection.sock is None
            body = json.dumps(finished(run_id=f"r{id(self)}-{len(self.answers)}")).encode()
            try:
                connection.request("POST", "/webhooks/ci", body, signed(body))
                answer = connection.getresponse()
                answer.read()
                self.answers.append(answer.status)
            except (OSError, http.client.HTTPException):
                self.unanswered.append("fresh" if fresh else "kept")
                connection.close()
            if not self._kept:
                connection.close()
        connection.close()


def reloaded(server: Server) -> int:
    """How many times a worker has read registrar.yml again."""
    return server.log.read_text().count("registrar.yml was reloaded")


def test_a_reload_under_constant_load_loses_no_request(tmp_path: Path):
    """Nor does a reload wait until the requests of the one before have ended."""
    changes = f"{PATIENT}from webhooks import asgi\nasgi.OLD_SECONDS = 60\n"
    with serving(tmp_path, workers=2, changes=changes, REGISTRAR_CONFIG=str(unbounded(tmp_path))) as server:
        senders = [Sender(server, kept=number % 2 == 0) for number in range(8)]
        for number in range(1, 4):
            server.process.send_signal(signal.SIGHUP)
            _until(lambda number=number: reloaded(server) == 2 * number, server)
        for sender in senders:
            sender.end()
        answers = [status for sender in senders for status in sender.answers]
        assert set(answers) == {202}
        assert len(answers) > 100
        assert [which for sender in senders for which in sender.unanswered] == []
        assert server.count(events) == len(answers)


def test_reloads_leave_no_threads_and_no_connections_behind(tmp_path: Path):
    with serving(tmp_path, workers=1, changes=f"{PATIENT}{RELOADS}") as server:
        [worker] = server.workers()

        def held() -> tuple[int, int, int]:
            """Threads, files of the ledger's connections, other files."""
            files = []
            for file in Path(f"/proc/{worker.pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # closed meanwhile
                    files.append(str(file.readlink()))
            ledger = sum("ledger.db" in file for file in files)
            return worker.num_threads(), ledger, len(files) - ledger

        def reload(times: int) -> None:
            for _ in range(times):
                before = reloaded(server)
                assert server.deliver(f"r{before}") == 202
                server.process.send_signal(signal.SIGHUP)
                _until(lambda before=before: reloaded(server) == before + 1, server)

        reload(3)
        time.sleep(2)
        before = held()
        reload(6)
        # The ledger's pool holds some connections more or less, of up to three files each; one left behind by each
        # reload would be six.
        most = [count + more for count, more in zip(before, (2, 10, 4), strict=True)]
        _until(lambda: all(now <= bound for now, bound in zip(held(), most, strict=True)), server)
        assert [*server.workers()] == [worker]


def test_a_term_lets_the_request_in_hand_be_answered(tmp_path: Path):
    with serving(tmp_path, changes=PATIENT) as server, server.connect() as half, server.connect() as idle:
        whole = request("term", "Connection: close")
        half.sendall(whole[:-20])
        idle.sendall(request("before"))
        assert statuses(idle.recv(4096)) == [202]
        time.sleep(0.3)  # so that the half is in its hands
        server.process.terminate()
        time.sleep(0.3)
        half.sendall(whole[-20:])
        assert statuses(to_the_end(half)) == [202]
        assert to_the_end(idle) == b""
        assert server.process.wait(30) == 0
        assert server.count(events) == 2


def test_a_term_while_the_ledger_is_locked_answers_all_that_it_was_sent(tmp_path: Path):
    with serving(tmp_path, workers=2, changes=PATIENT) as server, ExitStack() as stack:
        assert server.deliver("before") == 202
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = [stack.enter_context(server.connect()) for _ in range(30)]
            for number, connection in enumerate(waiting):
                connection.sendall(request(f"locked{number}"))
            time.sleep(0.5)
            server.process.terminate()
            time.sleep(0.5)
        assert [statuses(to_the_end(connection)) for connection in waiting] == [[202]] * 30
        assert server.process.wait(30) == 0
        assert server.count(events) == 31

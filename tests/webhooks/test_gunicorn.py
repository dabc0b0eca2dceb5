"""Over real HTTP, under the real server: what the test client can't show."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy import func, select

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from registrar.ledger.tables import events, rejections, tasks
from tests.webhooks.conftest import environ, finished, signed

ROOT = Path(__file__).parent.parent.parent
# Ours, but for a patience of 1 s.
CONFIG = "from webhooks import gunicorn_conf\nfrom webhooks.gunicorn_conf import *\ngunicorn_conf.READ_SECONDS = 1\n"
TWO = f"{CONFIG}workers = 2\n"


_EVENTS = re.compile(r"^registrar_webhook_events_total\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    ledger: Ledger

    def post(
        self, body: object, headers: dict[str, str], *, chunked: bool = False, source: str = "ci"
    ) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", f"/webhooks/{source}", body=body, headers=headers, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def raw(self, sent: bytes, *, seconds: float = 10) -> bytes:
        """What comes back for these bytes, to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(sent)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def count(self, table) -> int:
        with self.ledger.read() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()


def start(
    folder: Path, *, config: str = CONFIG, app: str = "webhooks.app:from_environment()", **extra: str
) -> subprocess.Popen[bytes]:
    """config: gunicorn's, in Python. extra: environment, beyond what `up` and the image set (MALLOC_ARENA_MAX)."""
    file = folder / "gunicorn_test.py"
    file.write_text(config)
    command = [sys.executable, "-m", "gunicorn", "-c", str(file), "--bind", "127.0.0.1:0"]
    return subprocess.Popen(
        [*command, app],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "MALLOC_ARENA_MAX": "2", **environ(folder), **extra},
        stderr=(folder / "gunicorn.log").open("wb"),
    )


def port_of(process: subprocess.Popen[bytes]) -> int:
    """The port it chose, once it answers."""
    for _ in range(300):
        listening = [c for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"]
        if listening:
            return listening[0].laddr.port
        time.sleep(0.1)
    raise TimeoutError("gunicorn does not listen")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("receiver")
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    migrate(ledger)
    process = start(folder)
    try:
        yield Server(port_of(process), process, ledger)
    finally:
        process.terminate()
        process.wait(10)
        ledger.close()


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
    def deliver(number: int) -> int:
        body = json.dumps(finished(run_id=f"burst{number}")).encode()
        return server.post(body, signed(body))[0]

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(deliver, range(200))) == {202}


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
    head = (
        b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n"
    )
    assert server.raw(head).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: five\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    ],
)
def test_broken_framing_is_a_4xx_and_never_a_5xx(server: Server, body: bytes):
    head = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    answer = server.raw(head + body)
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_repeated_signature_headers_are_401(server: Server):
    body = json.dumps(finished()).encode()
    headers = signed(body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        doubled = "\r\n".join([*lines, f"{name}: {headers[name]}", f"Content-Length: {len(body)}"])
        head = f"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{doubled}\r\n\r\n"
        assert server.raw(head.encode() + body).startswith(b"HTTP/1.1 401 ")


def test_a_strange_host_header_does_no_harm_to_what_was_accepted(server: Server):
    for number, host in enumerate(("a b", "x:y", "[", "\xff", "", "evil.example/..")):
        body = json.dumps(finished(run_id=f"host{number}")).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
        head = f"POST /webhooks/ci HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}Content-Length: {len(body)}"
        status = server.raw(head.encode("latin-1") + b"\r\n\r\n" + body)[9:12]
        with server.ledger.read() as connection:
            accepted = connection.execute(select(events).where(events.c.data["run_id"].as_string() == f"host{number}"))
            assert (status == b"202") == bool(accepted.all()), host
        assert status[:1] != b"5", host


def test_senders_that_stall_give_their_threads_back(server: Server):
    """All 16 threads held by requests that stop halfway; the next honest one is still answered."""
    head = b"POST /webhooks/ci HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    stalled = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for number, connection in enumerate(stalled):
        connection.sendall(head if number % 2 else head[:30])
    body = json.dumps(finished(run_id="patient")).encode()
    status, _ = server.post(body, signed(body))
    for connection in stalled:
        connection.close()
    assert status == 202


def test_after_all_that_each_process_keeps_less_than_50_megabytes_to_itself(server: Server):
    """What they share, the application above all, was loaded once."""
    for worker in psutil.Process(server.process.pid).children():
        assert worker.memory_full_info().uss < 50 * 2**20


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Server]:
    """A receiver of two processes, both up."""
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        migrate(ledger)
        process = start(tmp_path, config=TWO)
        port = port_of(process)
        for _ in range(300):
            counting = [_counted_in(child) for child in psutil.Process(process.pid).children()]
            if len(counting) == 2 and all(counting):
                break
            time.sleep(0.1)
        yield Server(port, process, ledger)
        process.terminate()
        process.wait(30)


def _counted_in(process: psutil.Process) -> set[Path]:
    return {Path(file.path).parent for file in process.open_files() if "/registrar-counted-" in file.path}


def test_whichever_process_is_asked_tells_what_all_have_counted(pair: Server):
    def accepted() -> set[float]:
        """As each of many connections is told it: by one process or another."""
        texts = [requests.get(f"http://127.0.0.1:{pair.port}/metrics", timeout=10).text for _ in range(20)]
        counted = [_EVENTS.search(text) for text in texts]
        return {float(found[1]) if found else 0.0 for found in counted}

    [before] = accepted()
    for number in range(20):
        body = json.dumps(finished(run_id=f"counted{number}")).encode()
        assert pair.post(body, signed(body))[0] == 202
    assert accepted() == {before + 20}


def test_what_was_counted_together_goes_with_the_receiver(pair: Server):
    [folder] = {path for child in psutil.Process(pair.process.pid).children() for path in _counted_in(child)}
    assert folder.is_dir()
    pair.process.terminate()
    pair.process.wait(30)
    assert not folder.exists()


def test_a_receiver_that_can_not_start_says_why_and_stops(tmp_path: Path):
    Ledger(f"sqlite:///{tmp_path}/ledger.db").close()
    process = start(tmp_path, CI_SECRET="weak")
    assert process.wait(30) != 0
    log = (tmp_path / "gunicorn.log").read_text()
    assert "the receiver can't start: sources.ci.secrets: env:CI_SECRET" in log
    assert "weak" not in log
    assert "Traceback" not in log


def test_told_to_it_reads_registrar_yml_again_and_goes_on_with_the_old_one_where_the_new_is_wrong(tmp_path: Path):
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        migrate(ledger)
        process = start(tmp_path)
        server, file = Server(port_of(process), process, ledger), tmp_path / "registrar.yml"
        body = json.dumps(finished()).encode()

        def until(reached: Callable[[], bool]) -> None:
            for _ in range(200):
                if reached():
                    return
                time.sleep(0.1)
            raise AssertionError((tmp_path / "gunicorn.log").read_text())

        def answered(source: str) -> int:
            return server.post(body, signed(body), source=source)[0]

        try:
            assert (answered("ci"), answered("renamed")) == (202, 404)
            file.write_text(file.read_text().replace("  ci:\n", "  renamed:\n"))
            process.send_signal(signal.SIGHUP)
            until(lambda: answered("renamed") == 202)
            until(lambda: {answered("ci") for _ in range(20)} == {404})
            file.write_text("version: 1\nnonsense: 1\n")
            process.send_signal(signal.SIGHUP)
            until(lambda: "nothing was changed" in (tmp_path / "gunicorn.log").read_text())
            assert re.search("the receiver can't start: .*nonsense", (tmp_path / "gunicorn.log").read_text())
            until(lambda: {answered("renamed") for _ in range(20)} == {202})
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_what_was_refused_is_recorded(server: Server):
    assert server.count(rejections) > 0

"""The real receiver as a process, over real HTTP: `webhooks.serve`, on a port and a ledger of its own."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, select

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.mlflow_server import free_port
from tests.webhooks.conftest import REGISTRAR_YML, environ, finished, signed

ROOT = Path(__file__).parent.parent.parent
APP = "webhooks.asgi:from_environment"
# Seconds until it answers, and until it has ended.
PATIENCE = 30.0
# What changes the receiver runs where it is loaded: after serve.py has said where processes count together, and before
# it reads its own settings; once more at each SIGHUP.
_RUNNER = """
import sys
from pkgutil import resolve_name
from webhooks import serve

def load():
    exec({changes!r}, {{}})
    return resolve_name({app!r})()

serve.APP = "__main__:load"
serve.main(sys.argv[1:])
"""


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    ledger: Ledger
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def post(
        self, body: Any, headers: dict[str, str], *, chunked: bool = False, source: str = "ci"
    ) -> tuple[int, dict[str, Any]]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("POST", f"/webhooks/{source}", body=body, headers=headers, encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def deliver(self, run_id: str) -> int:
        """The status of a signed event."""
        body = json.dumps(finished(run_id=run_id)).encode()
        return self.post(body, signed(body))[0]

    def connect(self, *, seconds: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def raw(self, sent: bytes) -> bytes:
        """What comes back for these bytes, to the end of the connection."""
        with self.connect() as connection:
            connection.sendall(sent)
            return to_the_end(connection)

    def count(self, table: Any) -> int:
        with self.ledger.read() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()


def start(
    folder: Path, *, port: int, workers: int = 1, changes: str = "", app: str = APP, **extra: str
) -> subprocess.Popen[bytes]:
    """changes: Python that sets constants of the receiver. extra: environment, beyond what `up` and the image set.

    Its log is folder/receiver.log. The port is chosen beforehand: each worker binds it for itself.
    """
    command = [sys.executable, "-c", _RUNNER.format(changes=changes, app=app)]
    return subprocess.Popen(
        [*command, "--port", str(port), "--workers", str(workers), "--access-log"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "MALLOC_ARENA_MAX": "2", **environ(folder), **extra},
        stderr=(folder / "receiver.log").open("ab"),
    )


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, *, workers: int = 1) -> None:
    """Until each of its workers listens."""
    until = time.monotonic() + PATIENCE
    while not _all_listen(process.pid, port, workers):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the receiver does not listen, and ended with {process.poll()}:\n{log.read_text()}")
        time.sleep(0.05)


def _all_listen(pid: int, port: int, workers: int) -> bool:
    try:
        children = psutil.Process(pid).children()
        return sum(_listens(child, port) for child in children) == workers
    except psutil.NoSuchProcess:
        return False


def _listens(process: psutil.Process, port: int) -> bool:
    return any(c.status == "LISTEN" and c.laddr.port == port for c in process.net_connections("tcp"))


@contextmanager
def serving(
    folder: Path, *, workers: int = 1, changes: str = "", app: str = APP, ledger_url: str | None = None, **extra: str
) -> Iterator[Server]:
    """A receiver that is ready, and ends with the block. Its ledger is made: SQLite's, unless another is given."""
    url, port = ledger_url or f"sqlite:///{folder}/ledger.db", free_port()
    with closing(Ledger(url)) as ledger:
        migrate(ledger)
        process = start(
            folder, port=port, workers=workers, changes=changes, app=app, **{"REGISTRAR_LEDGER_URL": url, **extra}
        )
        try:
            wait_until_ready(process, port, folder / "receiver.log", workers=workers)
            yield Server(port, process, ledger, folder / "receiver.log")
        finally:
            process.terminate()
            process.wait(PATIENCE)


def unbounded(folder: Path) -> Path:
    """A registrar.yml whose source ci may send as much as it likes."""
    file, limits = folder / "unbounded.yml", "rate_limit: 999999/second\n    max_unfinished: 1000000"
    text = REGISTRAR_YML.replace("max_bytes: 4096", f"max_bytes: 4096\n    {limits}")
    file.write_text(text.replace("version: 1\n", "version: 1\nmax_unfinished: 1000000\n"))
    return file


def request(run_id: str, *more: str, source: str = "ci") -> bytes:
    """A signed one, as bytes; more: headers."""
    body = json.dumps(finished(run_id=run_id)).encode()
    lines = [f"{name}: {value}" for name, value in signed(body).items()]
    head = "\r\n".join([f"POST /webhooks/{source} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, *more])
    return head.encode() + b"\r\n\r\n" + body


def to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset is an end too."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def statuses(answers: bytes) -> list[int]:
    """Of all answers in these bytes, 100 Continue among them."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3})", answers)]

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.notifications.mailbox import Mailbox


class Listener:
    """A real HTTP server that keeps what it gets, and answers as told: `at` a path, or else everywhere."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.answer: tuple[int, dict[str, str]] = (200, {})
        self.body = b""
        self.at: dict[str, tuple[int, bytes]] = {}
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((dict(self.headers), body))
                listener.paths.append(self.path)
                status, said = listener.at.get(self.path, (listener.answer[0], listener.body))
                self.send_response(status)
                for name, value in listener.answer[1].items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.root}/T0/secret-part"


@contextmanager
def listening() -> Iterator[Listener]:
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as made:
        yield made

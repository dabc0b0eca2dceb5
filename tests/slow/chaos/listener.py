"""A deploy system that is told by webhook: it keeps what it hears, and sometimes fails after having heard it."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass
class Heard:
    """id: the notice's, the same on every attempt. said: its body."""

    id: str
    said: dict[str, Any]


@dataclass
class Listener:
    """heard: all messages, in the order they came; their signatures are right. failed: so many got no 2xx."""

    secret: str
    seed: int
    heard: list[Heard] = field(default_factory=list)
    failed: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 (a seed makes it repeatable)

    def hear(self, headers: dict[str, str], body: bytes) -> str:
        """Keeps it; what becomes of the answer: "ok", "unavailable" or "cut". Of the signature's time nothing is
        asked: the clock is one of the things that are broken.
        """
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        assert headers["webhook-signature"] == Webhook(self.secret).sign(headers["webhook-id"], at, body.decode())
        self.heard.append(Heard(headers["webhook-id"], json.loads(body)))
        fate = self._chance.choices(["ok", "unavailable", "cut"], [90, 5, 5])[0]
        self.failed += fate != "ok"
        return fate


@contextmanager
def listener(secret: str, *, seed: int) -> Iterator[Listener]:
    ear = Listener(secret, seed)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fate = ear.hear({name.lower(): value for name, value in self.headers.items()}, body)
            if fate == "cut":
                self.close_connection = True
                return
            with suppress(OSError):
                self.send_response(200 if fate == "ok" else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ear.url = f"http://127.0.0.1:{server.server_port}/deploy"
    try:
        yield ear
    finally:
        server.shutdown()
        server.server_close()

"""Parts that are well, to be broken one at a time."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import Settings
from registrar.doctor import DoctorContext, Finding
from registrar.ledger import Ledger
from registrar.plugins import load
from registrar.policy.load import parse
from tests.mlflow_server import free_port
from tests.redis_server import serve as serve_redis

NOWHERE = "http://127.0.0.1:1"
POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: ["file:ci.whsec"], may: [{events: ["*"], models: ["*"]}]}
channels:
  log: {kind: log}
notify: [{outcomes: ["*"], to: [log]}]
"""
SiteOf = Callable[..., DoctorContext]


@pytest.fixture
def site(tmp_path: Path, ledger: Ledger) -> SiteOf:
    """A site whose ledger is well and whose other parts are nowhere. policy: of registrar.yml; else what is changed."""

    def made(policy: str = POLICY, **changed: str) -> DoctorContext:
        folder = tmp_path / "site"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "registrar.yml").write_text(policy)
        if not (folder / "ci.whsec").exists():
            (folder / "ci.whsec").write_text(new_webhook_secret())
        given = {
            "REGISTRAR_CONFIG": str(folder / "registrar.yml"),
            "MLFLOW_TRACKING_URI": NOWHERE,
            "REGISTRAR_LEDGER_URL": ledger.engine.url.render_as_string(hide_password=False),
            "REGISTRAR_BROKER_URL": "redis://127.0.0.1:1/0",
            "REGISTRAR_SECRET_KEY": Fernet.generate_key().decode(),
            "REGISTRAR_PUBLIC_URL": NOWHERE,
        }
        return DoctorContext(tmp_path / "data", Settings.read({**given, **changed}), parse(policy))

    return made


def looked(part: str, at: DoctorContext) -> list[Finding]:
    return list(load("registrar.doctor.checks", part).check(at))


def troubles(part: str, at: DoctorContext) -> list[tuple[str, str, str]]:
    """What is not well; each says what to do."""
    found = [one for one in looked(part, at) if one.level != "ok"]
    assert all(one.do for one in found)
    return [(one.level, one.seen, one.do) for one in found]


class Pages:
    """A real HTTP server that answers what a test says. at: by path, (status, body, headers); text or JSON."""

    def __init__(self) -> None:
        self.at: dict[str, tuple[int, Any, dict[str, str]]] = {}
        self.heard: list[dict[str, str]] = []
        self.slow = 0.0  # seconds for an answer
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages.heard.append(dict(self.headers))
                time.sleep(pages.slow)
                status, body, headers = pages.at.get(self.path.partition("?")[0], (404, "", {}))
                raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response_only(status)
                kind = "text/plain" if isinstance(body, str) else "application/json"
                own = {"Date": self.date_time_string(), "Content-Type": kind, "Content-Length": str(len(raw))}
                for name, value in {**own, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server.server_port}"

    def say(self, path: str, body: Any, *, status: int = 200, **headers: str) -> None:
        self.at[path] = (status, body, headers)


@pytest.fixture
def pages() -> Iterator[Pages]:
    made = Pages()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(scope="package")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Redis as `registrar up` starts it."""
    with serve_redis(tmp_path_factory.mktemp("redis"), free_port()) as server:
        yield server.port

"""Receiver, worker and beat as real processes, on a broker of the test's. Their work needs no MLflow."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from registrar.config.key_generation import new_webhook_secret
from registrar.http import signing
from registrar.local import Stack
from tests.links import LOOPBACK
from tests.mlflow_server import free_port
from tests.rabbitmq import serve as serve_rabbitmq
from tests.redis_server import Server
from tests.redis_server import serve as serve_redis

PATIENCE = 120.0  # seconds
ANSWER = 30.0  # seconds within which a sender is answered, whatever the broker does
NO_MLFLOW = f"http://{LOOPBACK}:1"
CONFIG = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    may: [{events: ["training_run.*", "model_version.*", "artifacts.fetch"], models: ["*"]}]
models:
  "*": {targets: [{stage: Staging, approval: automatic}]}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


@dataclass(frozen=True)
class Site:
    """An installation, and a sender's view of it."""

    stack: Stack
    secret: str

    def post(self, type_: str = "training_run.failed", **data: Any) -> requests.Response:
        body = json.dumps({"type": type_, "data": {"model": f"m{uuid.uuid4().hex}", **data}}).encode()
        signed = signing.standard_webhooks(
            self.secret, id=f"msg_{uuid.uuid4().hex}", timestamp=datetime.now(UTC), body=body
        )
        to = f"{self.stack.addresses.receiver_url}/webhooks/ci"
        return requests.post(to, data=body, headers={"Content-Type": "application/json", **signed}, timeout=ANSWER)

    def post_all(self, count: int) -> list[str]:
        """That many, some at once. The URLs of their status."""
        with ThreadPoolExecutor(4) as pool:
            return [accepted(answer) for answer in pool.map(lambda _: self.post(), range(count))]

    def states(self, status_urls: list[str]) -> set[str]:
        """Once none is unfinished."""
        return {self.ended(url)["state"] for url in status_urls}

    def ended(self, status_url: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            event = requests.get(status_url, timeout=ANSWER).json()
            return event if event["state"] != "unfinished" else None

        return until(look)

    def ready(self) -> int:
        return requests.get(f"{self.stack.addresses.receiver_url}/readyz", timeout=ANSWER).status_code

    def log(self, part: str) -> str:
        return self.stack.folder.log(part).read_text(errors="replace")


@contextmanager
def installation(folder: Path, broker: str, *, mlflow: str = NO_MLFLOW, supervised: bool = True) -> Iterator[Site]:
    secret = new_webhook_secret()
    folder.mkdir()
    (folder / "registrar.yml").write_text(CONFIG)
    (folder / "ci.whsec").write_text(secret)
    with Stack(folder / "data", folder / "registrar.yml", mlflow=mlflow, broker=broker) as stack:
        if supervised:
            stack.watch_in_background()
        yield Site(stack, secret)


def accepted(answer: requests.Response) -> str:
    """The URL of its status."""
    assert answer.status_code == 202, answer.text
    return str(answer.json()["events"][0]["status_url"])


def until(look: Callable[[], Any]) -> Any:
    """What it sees, once it sees something."""
    deadline = time.monotonic() + PATIENCE
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s"
        time.sleep(0.1)
    return seen


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    with serve_redis(tmp_path / "redis", free_port()) as server:
        yield server


@pytest.fixture
def redis_port(redis: Server) -> int:
    return redis.port


@pytest.fixture(scope="package")
def rabbitmq_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serve_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as port:
        yield port


@pytest.fixture
def rabbitmq_url(rabbitmq_port: int) -> str:
    return f"amqp://guest:guest@{LOOPBACK}:{rabbitmq_port}//"

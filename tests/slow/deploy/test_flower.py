"""Flower, by docker-compose.yml's own command line, shows what a real worker does by the names of its tasks."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from registrar.broker.celery_app import celery_app, publish
from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger import Ledger
from registrar.ledger.deliveries import accept
from registrar.ledger.engine import now
from registrar.ledger.event_rows import Delivery
from tests.broker import Broker
from tests.deploy.composefile import services
from tests.slow.deploy.compose_stack import free_ports
from tests.webhooks.conftest import environ

PATIENCE = 90.0


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[None]:
    paths = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(log.parent)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**paths, **environment}, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@pytest.fixture
def flower(tmp_path: Path, broker: Broker, ledger: Ledger) -> Iterator[str]:
    """Its address. A worker is beside it, and both are at the same broker."""
    (port,) = free_ports(1)
    command = [word.replace("5555", str(port)) for word in services()["flower"]["command"]]
    worker = {**environ(tmp_path, broker=broker.url), "REGISTRAR_TASK_EVENTS": "1"}
    with ExitStack() as both:
        # The API is for the test to read; people look at the pages.
        shown = {"CELERY_BROKER_URL": broker.url, "FLOWER_UNAUTHENTICATED_API": "true"}
        both.enter_context(running(command, tmp_path / "flower.log", **shown))
        both.enter_context(running([sys.executable, "-m", "worker", "run"], tmp_path / "worker.log", **worker))
        yield f"http://127.0.0.1:{port}"


def asked(url: str) -> Any:
    try:
        return requests.get(url, timeout=10).json()
    except (requests.ConnectionError, requests.JSONDecodeError):
        return {}


def accepted(ledger: Ledger, broker: Broker) -> None:
    event = Event(parse("training_run.failed", {"model": "taxi"}), Actor("ada", "Ada"), now())
    with ledger.write() as connection:
        receipt = accept(connection, Delivery("ci", uuid.uuid4().hex, "0" * 64), [event], at=now())
    app = celery_app(broker.url)
    assert publish(app, receipt.task_messages)
    app.close()


def test_tasks_are_seen_by_name(flower: str, ledger: Ledger, broker: Broker, tmp_path: Path) -> None:
    until = time.monotonic() + PATIENCE
    seen: set[tuple[str, str]] = set()
    while ("worker.report", "SUCCESS") not in seen:
        assert time.monotonic() < until, "".join(log.read_text()[-3000:] for log in tmp_path.glob("*.log"))
        accepted(ledger, broker)  # what is done before Flower listens, it never hears of
        time.sleep(1)
        seen = {(task["name"], task["state"]) for task in asked(f"{flower}/api/tasks").values()}
    assert requests.get(f"{flower}/tasks", timeout=10).status_code == 200

"""Approvals of several versions of one model at the same moment, on real servers: one Production, one @champion."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from registrar.config.key_generation import new_webhook_secret
from registrar.http import signing
from registrar.ledger import Ledger, LedgerUnavailable, tasks
from registrar.ledger.migrate import migrate
from registrar.ledger.queries.holdings import history
from registrar.ledger.tables import promotions
from registrar.local import Stack
from registrar.local.services import plan, worker
from tests.mlflow_server import train
from tests.slow.promotions.conftest import Pair
from tests.worker.harness import ADA, WorkerHarness
from worker.celery_tasks import run_chain
from worker.dispatcher import sweep
from worker.registry.mlflow import MlflowRegistry

PROCESSES, THREADS = 2, 4  # each process has doors of its own; four threads are what a worker has (worker/app.py)
PATIENCE = 120.0
# Any number in Staging, so that all of them wait for Production at once.
POLICY = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    may: [{events: ["training_run.*", "promotion.*"], models: ["*"]}]
people:
  ada: {name: Ada}
groups:
  leads: [ada, "source:ci"]
models:
  "*":
    targets:
      - {stage: Staging, exclusive: false, on_replace: keep, approval: automatic}
      - {stage: Production, alias: champion, approval: {rules: [{group: leads}]}}
"""


@pytest.fixture
def model() -> str:
    return f"taxi-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def ledger(pair: Pair) -> Iterator[Ledger]:
    opened = Ledger(pair.ledger_url)
    migrate(opened)
    yield opened
    opened.close()


def states(ledger: Ledger, model: str) -> dict[int, str]:
    """By version, of its newest promotion to Production."""
    ours = (promotions.c.model == model) & (promotions.c.target == "Production")
    with ledger.read() as connection:
        rows = connection.execute(promotions.select().where(ours).order_by(promotions.c.created_at)).all()
    return {row.version: row.state for row in rows}


def assert_one_holder(ledger: Ledger, client: MlflowClient, model: str, *, of: int) -> None:
    """MLflow itself, and the record, name one and the same version; all that were approved went there once."""
    versions = client.search_model_versions(f"name = '{model}'")
    stages = {int(v.version): client.get_model_version(model, v.version).current_stage for v in versions}
    [holder] = [number for number, stage in stages.items() if stage == "Production"]
    assert stages == {number: "Production" if number == holder else "Archived" for number in range(1, of + 1)}
    aliases = client.get_registered_model(model).aliases
    assert {alias: int(number) for alias, number in aliases.items()} == {"champion": holder}
    with ledger.read() as connection:
        rows = history(connection, model)
    recorded = {(h.key, h.version) for h in rows if h.until is None}
    assert recorded == {("champion", holder), *((stage, number) for number, stage in stages.items())}
    assert sorted(h.version for h in rows if h.key == "Production") == list(range(1, of + 1))
    assert states(ledger, model) == dict.fromkeys(stages, "promoted")


def all_at_once(offices: list[WorkerHarness]) -> None:
    """Every bell is heard by every process, as after a doubled message, and by several of its threads."""
    until = time.monotonic() + PATIENCE
    with ThreadPoolExecutor(PROCESSES * THREADS) as threads:
        while unfinished(offices[0].ledger):
            assert time.monotonic() < until, "not done in time"
            heard = [
                (harness, task_message) for task_message in offices[0].due() for harness in offices for _ in range(2)
            ]
            list(threads.map(lambda one: hear(*one), heard))
            sweep(offices[0].context)


def hear(harness: WorkerHarness, task_message) -> None:
    with suppress(LedgerUnavailable):  # Celery drops the message, and the sweep rings again
        run_chain(harness.context, task_message)


def unfinished(ledger: Ledger) -> int:
    with ledger.read() as connection:
        return tasks.unfinished(connection)


@pytest.fixture
def offices(pair: Pair, ledger: Ledger, tmp_path: Path) -> Iterator[list[WorkerHarness]]:
    """One for each worker process: its own ledger, its own client."""
    ledgers = [Ledger(pair.ledger_url) for _ in range(PROCESSES)]
    yield [WorkerHarness(opened, tmp_path, MlflowRegistry(pair.mlflow), POLICY) for opened in ledgers]
    for opened in ledgers:
        opened.close()


@pytest.mark.parametrize("count", [2, 8])
def test_so_many_approvals_at_once_leave_one_holder_in_mlflow_too(pair, offices, ledger, model, count: int):
    client = MlflowClient(pair.mlflow)
    for _ in range(count):
        offices[0].post("model_version.register", model=model, run_id=train(client, experiment="concurrent"))
    for version in range(count, 0, -1):  # a request ends those for older versions
        offices[0].post("promotion.request", by=ADA, model=model, version=version, target="Production")
    assert states(ledger, model) == dict.fromkeys(range(1, count + 1), "awaiting_approval")
    with ThreadPoolExecutor(count) as people:
        approving = [
            people.submit(offices[n % PROCESSES].accept, "promotion.approve", by=ADA, model=model, version=n + 1)
            for n in range(count)
        ]
    assert len({event.result() for event in approving}) == count
    all_at_once(offices)
    assert_one_holder(ledger, client, model, of=count)


def two_workers(site):
    return [*plan(site), replace(worker(), name="second worker")]


@contextmanager
def installation(pair: Pair, folder: Path) -> Iterator[tuple[str, str]]:
    """The receiver, Redis, beat and two workers; the source's address and its secret."""
    secret = new_webhook_secret()
    (folder / "registrar.yml").write_text(POLICY)
    (folder / "ci.whsec").write_text(secret)
    urls = {"mlflow": pair.mlflow, "ledger": pair.ledger_url}
    with Stack(folder / "data", folder / "registrar.yml", None, lambda _: None, plan=two_workers, **urls) as parts:
        yield f"{parts.addresses.receiver_url}/webhooks/ci", secret


def post(url: str, secret: str, type_: str, **data) -> None:
    body, id_ = json.dumps({"type": type_, "data": data}).encode(), f"msg_{uuid.uuid4().hex}"
    signed = signing.standard_webhooks(secret, id=id_, timestamp=datetime.now(UTC), body=body)
    answer = requests.post(url, data=body, headers={"Content-Type": "application/json", **signed}, timeout=30)
    assert answer.status_code == 202, answer.text


def wait(ledger: Ledger) -> None:
    until = time.monotonic() + PATIENCE
    while unfinished(ledger):
        assert time.monotonic() < until, "not done in time"
        time.sleep(0.2)


@pytest.mark.parametrize("pair", ["sqlite", "psycopg"], indirect=True)
def test_eight_approvals_through_the_receiver_and_two_worker_processes_leave_one_holder(pair, ledger, model, tmp_path):
    count, client = 8, MlflowClient(pair.mlflow)
    with installation(pair, tmp_path) as (url, secret), ThreadPoolExecutor(count) as people:
        for _ in range(count):
            post(url, secret, "training_run.finished", model=model, run_id=train(client, experiment="concurrent"))
        for version in range(count, 0, -1):
            post(url, secret, "promotion.request", model=model, version=version, target="Production")
        wait(ledger)
        assert states(ledger, model) == dict.fromkeys(range(1, count + 1), "awaiting_approval")
        approve = partial(post, url, secret, "promotion.approve", model=model)
        list(people.map(lambda version: approve(version=version), range(1, count + 1)))
        wait(ledger)
        assert_one_holder(ledger, client, model, of=count)
    for name in ("worker", "second worker"):
        assert "worker.attempt: " in (tmp_path / "data" / "logs" / f"{name}.log").read_text(), (
            f"the {name} had no share"
        )

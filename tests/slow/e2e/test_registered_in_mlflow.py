"""People register versions in a real MLflow server, whose webhooks go to a real receiver, each of them twice."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow as mlflow_client
import pytest
import requests
from mlflow import MlflowClient
from sqlalchemy import func, select

from registrar.ledger.tables import events, promotions
from tests.mlflow_server import tracking_uri, train
from tests.slow.e2e.test_mlflow_webhooks import EVENTS, PATIENCE, SECRET
from tests.slow.e2e.test_mlflow_webhooks import mlflow as mlflow  # noqa: PLC0414 (a fixture)
from tests.webhooks.conftest import CI
from tests.webhooks.serving import Server, serving
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker.registry.mlflow import MlflowRegistry

HOOKED = POLICY.replace("  taxi:", '  "taxi*":').replace(
    "sources:\n",
    'sources:\n  mlflow: {kind: mlflow, secrets: [env:HOOK], may: [{events: [registry.changed], models: ["*"]}]}\n',
)
MANY = int(os.environ.get("MANY", "60"))  # 500 take 7 minutes, each way


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory, mlflow: MlflowClient) -> Iterator[Server]:
    """It hears of everything twice: two webhooks of MLflow lead to it."""
    folder = tmp_path_factory.mktemp("receiver")
    (folder / "hooked.yml").write_text(HOOKED)
    with serving(folder, REGISTRAR_CONFIG=str(folder / "hooked.yml"), HOOK=SECRET, CI=CI) as server:
        for name in ("once", "twice"):
            url = f"{server.url}/webhooks/mlflow"
            mlflow.create_webhook(name=name, url=url, events=["registered_model.created", *EVENTS], secret=SECRET)
        yield server


@pytest.fixture(scope="module")
def harness(receiver: Server, mlflow: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> WorkerHarness:
    folder = tmp_path_factory.mktemp("worker")
    return WorkerHarness(receiver.ledger, folder, MlflowRegistry(mlflow.tracking_uri), HOOKED)


def by_the_ui(client: MlflowClient, model: str, run_id: str) -> None:
    if not client.search_registered_models(f"name = '{model}'"):
        client.create_registered_model(model)
    client.create_model_version(model, f"runs:/{run_id}/model", run_id=run_id)


def by_train_py(client: MlflowClient, model: str, run_id: str) -> None:
    with tracking_uri(client.tracking_uri):
        mlflow_client.register_model(f"runs:/{run_id}/model", model, await_registration_for=0)


def announced(harness: WorkerHarness, model: str) -> Counter[int]:
    """How many webhooks came for each new version."""
    query = select(events.c.data).where(events.c.model == model, events.c.type == "registry.changed")
    with harness.ledger.read() as connection:
        rows = connection.execute(query).scalars().all()
    return Counter(row["version"] for row in rows if row["change"] == "model_version.created")


def work_until(harness: WorkerHarness, done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < end:
        time.sleep(0.2)
        harness.work()
    harness.work()


def requested(harness: WorkerHarness, model: str) -> list[tuple[int, str, str]]:
    query = select(promotions.c.version, promotions.c.target, promotions.c.requested_by)
    with harness.ledger.read() as connection:
        rows = connection.execute(query.where(promotions.c.model == model).order_by(promotions.c.version)).all()
    return [tuple(row) for row in rows if row.target == "Staging"]


@pytest.mark.parametrize("register", [by_the_ui, by_train_py])
def test_what_is_registered_is_in_staging_by_one_request(
    mlflow: MlflowClient, harness: WorkerHarness, register: Callable[[MlflowClient, str, str], None]
) -> None:
    model = f"taxi-{register.__name__.replace('_', '-')}"
    for number in (1, 2):
        register(mlflow, model, train(mlflow, user="grace"))
        work_until(harness, lambda number=number: announced(harness, model)[number] == 2)
    assert announced(harness, model) == {1: 2, 2: 2}
    assert requested(harness, model) == [(1, "Staging", "mlflow:grace"), (2, "Staging", "mlflow:grace")]
    version = mlflow.get_model_version(model, "2")
    assert (version.current_stage, version.aliases) == ("Staging", ["challenger"])


def test_a_training_event_between_the_two_webhooks_adds_no_request(
    mlflow: MlflowClient, harness: WorkerHarness
) -> None:
    run_id = train(mlflow, user="grace")
    by_the_ui(mlflow, "taxi-both", run_id)
    harness.accept("training_run.finished", model="taxi-both", run_id=run_id, commit="c0ffee")
    work_until(harness, lambda: announced(harness, "taxi-both")[1] == 2)
    [(number, _, _)] = requested(harness, "taxi-both")
    assert number == 1
    assert mlflow.get_model_version("taxi-both", "1").tags["registrar.commit"] == "c0ffee"


ASKED = HOOKED.replace("approval: automatic", "approval: {rules: [{group: leads}]}")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", ["webhooks in any order, each twice", "a comparison alone"])
def test_many_versions_registered_at_once_are_all_taken_in(
    mlflow_address: str, ledger, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server without webhooks: what would come is accepted here, in one go."""
    client, model = MlflowClient(mlflow_address), f"taxi-{time.time_ns()}"
    harness = WorkerHarness(ledger, tmp_path, MlflowRegistry(mlflow_address), ASKED)
    client.create_registered_model(model)
    harness.post("registry.changed", model=model, change="registered_model.created")
    run_id = train(client, user="grace")
    for _ in range(MANY):
        client.create_model_version(model, f"runs:/{run_id}/model", run_id=run_id)
    calls = count_calls(monkeypatch)
    began = time.monotonic()
    if way == "a comparison alone":
        harness.post("registry.reconcile", by=ADA, model=model)
    else:
        numbers = [*range(1, MANY + 1)] * 2
        random.Random(1).shuffle(numbers)  # noqa: S311 (an order, no secret)
        for number in numbers:
            harness.accept("registry.changed", model=model, change="model_version.created", version=number)
        harness.work()
    seconds = time.monotonic() - began
    print(f"\n{way}: {seconds:.0f} s, {len(calls) / MANY:.1f} calls for each of {MANY} versions")
    assert [number for number, _, _ in requested(harness, model)] == [*range(1, MANY + 1)]
    assert {by for _, _, by in requested(harness, model)} == {"mlflow:grace"}
    with ledger.read() as connection:
        states = connection.execute(select(promotions.c.state, func.count()).group_by(promotions.c.state)).all()
    assert dict(map(tuple, states)) == {"awaiting_approval": 1, "superseded": MANY - 1}


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request to MLflow from here on."""
    made: list[str] = []
    request = requests.Session.request

    def count(self: requests.Session, method: str, url: str, **given: object) -> requests.Response:
        made.append(f"{method} {url}")
        return request(self, method, url, **given)

    monkeypatch.setattr(requests.Session, "request", count)
    return made

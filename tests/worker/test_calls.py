"""How often MLflow is asked for one event: each call costs as much as all else that is done about it."""

import re
import uuid

import pytest
import requests
from mlflow import MlflowClient

from registrar.ledger.engine import now
from tests.mlflow_server import train, train_logged_model
from tests.worker.harness import ADA, POLICY
from worker.promotions import stage_occupancy
from worker.promotions.plan import PlanContext, plan
from worker.registry.mlflow import MlflowRegistry

FIRST = ["GET registered-models/search", "POST registered-models/create"]  # of a model
_PATH = re.compile(r"/api/2\.0/(?:mlflow/)?([a-z-]+/(?:[a-z-]+$)?)")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request to MLflow from here on."""
    made: list[str] = []
    request = requests.Session.request

    def count(self: requests.Session, method: str, url: str, **given: object) -> requests.Response:
        found = _PATH.search(url)
        made.append(f"{method} {found[1] if found else url}")
        return request(self, method, url, **given)

    monkeypatch.setattr(requests.Session, "request", count)
    return made


MAKE = "POST model-versions/create"
SEARCH = "GET model-versions/search"


@pytest.mark.parametrize(
    ("kind", "where"),
    [(train, "GET mlflow-artifacts/artifacts"), (train_logged_model, "GET logged-models/")],
    ids=["mlflow 2", "mlflow 3"],
)
def test_a_run_becomes_a_version_by_five_calls(harness, mlflow_address, calls, kind, where):
    client = MlflowClient(mlflow_address)
    harness.let_in(MlflowRegistry(mlflow_address))
    model = f"calls-{uuid.uuid4().hex[:8]}"
    runs = [kind(client) for _ in range(2)]
    looked = ["GET runs/get", where, SEARCH, SEARCH, MAKE]  # the second for what the first may have left out
    for run_id, expected in zip(runs, ([*looked, *FIRST, MAKE], looked), strict=True):
        calls.clear()
        harness.post("training_run.finished", model=model, run_id=run_id)
        assert calls == expected
    assert [version.run_id for version in harness.registry.versions(model)] == runs[::-1]


WHOLE = {"GET registered-models/get", "POST registered-models/get-latest-versions"}  # MLflow reads all versions for it


@pytest.fixture(params=[train, train_logged_model], ids=["mlflow 2", "mlflow 3"])
def moved(harness, mlflow_address, request) -> str:
    """A model of six versions, the fifth in Production, the last on its way there. What is read whole is seen."""
    harness.let_in(MlflowRegistry(mlflow_address, search_sizes=(2, 4)))
    client, model = MlflowClient(mlflow_address), f"calls-{uuid.uuid4().hex[:8]}"
    harness.policy(POLICY.replace("  taxi:", f"  {model}:"))
    for number in range(1, 7):
        harness.post("training_run.finished", model=model, run_id=request.param(client))
        if number == 5:
            harness.post("promotion.approve", by=ADA, model=model, version=5)
    return model


def test_a_plan_and_a_move_read_neither_the_model_nor_all_its_versions(harness, moved, calls, monkeypatch):
    monkeypatch.setattr(stage_occupancy, "APART", 0)
    calls.clear()
    look = PlanContext(harness.registry, harness.context.policy, harness.ledger, now())
    assert "version 5 is archived" in " ".join(plan(look, moved, 6, "Production").lines)
    assert 0 < calls.count(SEARCH) <= 2
    assert not WHOLE & set(calls)
    calls.clear()
    harness.post("promotion.approve", by=ADA, model=moved, version=6)
    assert harness.holding(moved)["Production"] == [6]
    assert 0 < calls.count(SEARCH) <= 2
    assert not WHOLE & set(calls)

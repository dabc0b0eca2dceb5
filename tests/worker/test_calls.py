"""How often MLflow is asked for one event: each call costs as much as all else that is done about it."""

import re
import uuid

import pytest
import requests
from mlflow import MlflowClient

from registrar.ledger.engine import now
from tests.mlflow_server import train, train_logged_model
from tests.worker.harness import ADA, POLICY, WorkerHarness
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
    """With a link to our page in its description."""
    client = MlflowClient(mlflow_address)
    harness.settings(public_url="https://registrar.example.com")
    harness.let_in(MlflowRegistry(mlflow_address))
    model = f"calls-{uuid.uuid4().hex[:8]}"
    runs = [kind(client) for _ in range(2)]
    looked = ["GET runs/get", where, SEARCH, SEARCH, MAKE]  # the second for what the first may have left out
    for run_id, expected in zip(runs, ([*looked, *FIRST, MAKE], looked), strict=True):
        calls.clear()
        harness.post("training_run.finished", model=model, run_id=run_id)
        assert calls == expected
    assert [version.run_id for version in harness.registry.versions(model)] == runs[::-1]
    assert f"https://registrar.example.com/models/{model}" in harness.registry.version(model, 1).description


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


VERSION = "GET model-versions/get"
LIST_FILES = ["GET model-versions/get-download-uri", "GET mlflow-artifacts/artifacts"]
READ_FILES = [*LIST_FILES, "GET mlflow-artifacts/"]
MOVE = ["POST model-versions/transition-stage", "POST registered-models/alias"]
DESCRIBE = "PATCH model-versions/update"  # its answer shows that the version is where it should be
REPLACED = [VERSION, *MOVE[:1], DESCRIBE]


HELD_BACK = ["POST model-versions/set-tag"]


@pytest.fixture
def starter(harness, mlflow_address, calls) -> tuple[WorkerHarness, MlflowClient, str]:
    """The starter's policy, and a model whose version 1 is in Production and 2 awaits approval."""
    harness.let_in(MlflowRegistry(mlflow_address))
    client, model = MlflowClient(mlflow_address), f"calls-{uuid.uuid4().hex[:8]}"
    harness.policy(POLICY.replace("  taxi:", f"  {model}:"))
    for number in (1, 2):
        harness.post("training_run.finished", model=model, run_id=train_logged_model(client))
        if number == 1:
            harness.post("promotion.approve", by=ADA, model=model, version=1)
    return harness, client, model


def test_the_road_to_staging(starter, calls):
    harness, client, model = starter
    run_id = train_logged_model(client)
    calls.clear()
    harness.post("training_run.finished", model=model, run_id=run_id)
    assert harness.holding(model)["Staging"] == [3]
    register = ["GET runs/get", "GET logged-models/", SEARCH, SEARCH, MAKE]
    to_staging = [*READ_FILES[1:], VERSION, *MOVE, DESCRIBE, SEARCH]
    ask_for_production = ["GET registered-models/alias", "GET runs/get"]
    assert calls == [*register, *to_staging, *REPLACED, *ask_for_production]


def test_the_road_to_staging_of_a_version_that_was_registered_in_mlflow(starter, calls):
    """As many calls as a version that an event registers, and one for the commit that its run names."""
    harness, client, model = starter
    run_id = train_logged_model(client)
    logged = client.get_run(run_id).outputs.model_outputs[0].model_id
    client.create_model_version(model, f"models:/{logged}", run_id=run_id, model_id=logged)
    calls.clear()
    harness.post("registry.changed", model=model, change="model_version.created", version=3)
    assert harness.holding(model)["Staging"] == [3]
    take_in = [VERSION, "GET runs/get", "POST model-versions/set-tag", "POST model-versions/set-tag", DESCRIBE]
    to_staging = [*READ_FILES, VERSION, *MOVE, DESCRIBE, SEARCH]
    ask_for_production = ["GET registered-models/alias", "GET runs/get"]
    assert calls == [*take_in, *to_staging, *REPLACED, *ask_for_production]


def test_an_approval_for_production_that_replaces_a_version(starter, calls):
    harness, _, model = starter
    calls.clear()
    harness.post("promotion.approve", by=ADA, model=model, version=2)
    assert harness.holding(model)["Production"] == [2]
    vote = [VERSION, "GET runs/get", *READ_FILES]
    assert calls == [*vote, VERSION, *MOVE, "DELETE registered-models/alias", DESCRIBE, SEARCH, *REPLACED]


def test_a_version_that_its_gate_holds_back(starter, calls):
    harness, client, model = starter
    run_id = train_logged_model(client, rmse=9.0)
    calls.clear()
    harness.post("training_run.finished", model=model, run_id=run_id)
    assert calls[5:] == ["POST model-versions/set-tag"]


def test_a_look_at_what_was_changed_by_hand(starter, calls):
    """Of one model: whether MLflow is as the record has it."""
    harness, _, model = starter
    calls.clear()
    harness.post("registry.reconcile", model=model)
    assert calls == [SEARCH, "GET registered-models/get"]


def test_a_new_version_that_a_look_finds(starter, calls):
    """Of each it takes no more than its webhook would."""
    harness, client, model = starter
    client.create_model_version(model, "s3://elsewhere/model")
    calls.clear()
    harness.post("registry.reconcile", model=model)
    assert calls == [SEARCH, "GET registered-models/get", VERSION, "POST model-versions/set-tag", DESCRIBE, *HELD_BACK]


def test_a_rollback(starter, calls):
    harness, _, model = starter
    harness.post("promotion.approve", by=ADA, model=model, version=2)
    calls.clear()
    harness.post("model.rollback", by=ADA, model=model, reason="wrong fares")
    assert harness.holding(model)["Production"] == [1]
    moved = ["POST model-versions/set-tag", *MOVE, VERSION, SEARCH]
    assert calls == [VERSION, *LIST_FILES, *READ_FILES, SEARCH, VERSION, *moved, *REPLACED]

"""How often MLflow is asked for one event: each call costs as much as all else that is done about it."""

import re
import uuid

import pytest
import requests
from mlflow import MlflowClient

from tests.mlflow_server import train, train_logged_model
from worker.registry import MlflowRegistry

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


@pytest.mark.parametrize(
    ("kind", "where"),
    [(train, "GET mlflow-artifacts/artifacts"), (train_logged_model, "GET logged-models/")],
    ids=["mlflow 2", "mlflow 3"],
)
def test_a_run_becomes_a_version_by_four_calls(office, mlflow_address, calls, kind, where):
    client = MlflowClient(mlflow_address)
    office.let_in(MlflowRegistry(mlflow_address))
    model = f"calls-{uuid.uuid4().hex[:8]}"
    runs = [kind(client) for _ in range(2)]
    looked = ["GET runs/get", where, "GET model-versions/search", MAKE]
    for run_id, expected in zip(runs, ([*looked, *FIRST, MAKE], looked), strict=True):
        calls.clear()
        office.post("training_run.finished", model=model, run_id=run_id)
        assert calls == expected
    assert [version.run_id for version in office.registry.versions(model)] == runs[::-1]

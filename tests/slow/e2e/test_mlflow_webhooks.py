"""A real MLflow server posts its own webhooks to a real receiver."""

import time
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from mlflow import MlflowClient
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.tables import events
from tests import mlflow_server
from tests.webhooks.serving import serving

SECRET = "a secret of MLflow's own webhook"
POLICY = """
version: 1
sources:
  mlflow: {kind: mlflow, secrets: [env:HOOK], may: [{events: [registry.changed], models: ["*"]}]}
"""
EVENTS = [
    "model_version.created",
    "model_version_tag.set",
    "model_version_alias.created",
    "model_version_alias.deleted",
]
PATIENCE = 90.0  # seconds; MLflow reads its list of webhooks anew when it likes


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    allowed = {
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    }
    with mlflow_server.serve(tmp_path_factory.mktemp("mlflow"), **allowed) as url:
        yield MlflowClient(url)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Ledger]]:
    """Its address, and its ledger."""
    folder = tmp_path_factory.mktemp("receiver")
    (folder / "mlflow.yml").write_text(POLICY)
    with serving(folder, REGISTRAR_CONFIG=str(folder / "mlflow.yml"), HOOK=SECRET) as server:
        yield f"{server.url}/webhooks/mlflow", server.ledger


def accepted(ledger: Ledger) -> list[dict[str, object]]:
    with ledger.read() as connection:
        rows = connection.execute(select(events.c.data).order_by(events.c.seq)).scalars()
        return [{name: value for name, value in row.items() if value is not None} for row in rows]


def until(ledger: Ledger, count: int) -> list[dict[str, object]]:
    end = time.monotonic() + PATIENCE
    while len(found := accepted(ledger)) < count and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_its_webhooks_verify_and_become_events_and_its_tests_do_not(mlflow: MlflowClient, receiver: tuple[str, Ledger]):
    url, ledger = receiver
    hook = mlflow.create_webhook(name="registrar", url=url, events=EVENTS, secret=SECRET)
    tested = mlflow.test_webhook(hook.webhook_id)
    assert (tested.success, tested.response_status) == (True, 200), tested
    assert '"test":true' in (tested.response_body or "").replace(" ", "")
    run_id = mlflow_server.train(mlflow)
    mlflow.create_registered_model("taxi")
    mlflow.create_model_version("taxi", f"runs:/{run_id}/model", run_id=run_id, tags={"team": "taxi"})
    mlflow.set_model_version_tag("taxi", "1", "reviewed", "yes")
    mlflow.set_registered_model_alias("taxi", "champion", "1")
    mlflow.transition_model_version_stage("taxi", "1", "Production")
    mlflow.delete_registered_model_alias("taxi", "champion")
    found = sorted(until(ledger, 4), key=lambda data: str(data["change"]))
    assert found == [
        {"model": "taxi", "change": "model_version.created", "version": 1},
        {"model": "taxi", "change": "model_version_alias.created", "version": 1, "alias": "champion"},
        {"model": "taxi", "change": "model_version_alias.deleted", "alias": "champion"},
        {"model": "taxi", "change": "model_version_tag.set", "version": 1, "key": "reviewed", "value": "yes"},
    ]


def test_with_another_secret_it_is_refused(mlflow: MlflowClient, receiver: tuple[str, Ledger]):
    url, _ = receiver
    hook = mlflow.create_webhook(name="stranger", url=url, events=EVENTS, secret="another secret altogether")
    tested = mlflow.test_webhook(hook.webhook_id)
    assert (tested.success, tested.response_status) == (False, 401)

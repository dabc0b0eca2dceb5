"""A real MLflow whose database is put back from a backup: that is seen, and nothing is moved until somebody answers."""

import shutil

import pytest
from mlflow import MlflowClient

from registrar.ledger.disputes import dispute
from tests.mlflow_server import serve, train
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker.registry.mlflow import MlflowRegistry

REVERT = POLICY.replace("  taxi:\n", "  taxi:\n    drift: revert\n")


def live(harness: WorkerHarness, client: MlflowClient) -> None:
    harness.post("training_run.finished", model="taxi", run_id=train(client))
    harness.post("promotion.approve", by=ADA, model="taxi", version=max(harness.stages()))


def shown(harness: WorkerHarness) -> tuple[dict[int, str], dict[str, int]]:
    return harness.stages(), dict(harness.registry.model("taxi").aliases)


@pytest.mark.parametrize("trust", ["mlflow", "ledger"])
def test_a_database_from_a_backup_is_seen(ledger, tmp_path, trust):
    harness, folder = WorkerHarness(ledger, tmp_path / "office", policy=REVERT), tmp_path / "mlflow"
    folder.mkdir()
    with serve(folder) as address:
        harness.let_in(MlflowRegistry(address))
        client = MlflowClient(address)
        live(harness, client)
        harness.post("training_run.finished", model="taxi", run_id=train(client))
    shutil.copy(folder / "mlflow.db", tmp_path / "backup.db")
    with serve(folder) as address:
        harness.let_in(MlflowRegistry(address))
        harness.post("promotion.approve", by=ADA, model="taxi", version=2)
        after = shown(harness)
        assert after == ({1: "Archived", 2: "Production"}, {"champion": 2})
        held = harness.holding()
    shutil.copy(tmp_path / "backup.db", folder / "mlflow.db")
    with serve(folder) as address:
        harness.let_in(MlflowRegistry(address))
        was = shown(harness)
        assert was == ({1: "Production", 2: "Staging"}, {"champion": 1, "challenger": 2})
        harness.post("registry.reconcile", model="taxi")
        assert "MLflow changed it last on" in harness.fact("registry.disputed")
        assert (shown(harness), harness.holding()) == (was, held)
        harness.post("registry.settle", by=ADA, model="taxi", trust=trust)
        assert shown(harness) == (was if trust == "mlflow" else after)
        harness.post("registry.reconcile", model="taxi")
        assert shown(harness) == (was if trust == "mlflow" else after)
    with ledger.read() as connection:
        assert dispute(connection, "taxi") is None


def test_a_server_of_another_name_with_the_same_models_is_the_same(ledger, tmp_path):
    harness, folder = WorkerHarness(ledger, tmp_path / "office", policy=REVERT), tmp_path / "mlflow"
    folder.mkdir()
    for _ in range(2):
        with serve(folder) as address:
            harness.let_in(MlflowRegistry(address))
            live(harness, MlflowClient(address))
            harness.post("registry.reconcile", model="taxi")
    assert {kind for kind, _ in harness.facts()} & {"registry.disputed", "registry.made_anew"} == set()

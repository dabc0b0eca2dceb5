"""A real MLflow whose database is put back from a backup: that is seen, and nothing is moved until somebody answers."""

import shutil

import pytest
from mlflow import MlflowClient

from registrar.ledger.disputes import dispute
from tests.mlflow_server import serve, train
from tests.worker.harness import ADA, POLICY, Office
from worker.registry.mlflow import MlflowRegistry, configure_client

REVERT = POLICY.replace("  taxi:\n", "  taxi:\n    drift: revert\n")


def live(office: Office, client: MlflowClient) -> None:
    office.post("training_run.finished", model="taxi", run_id=train(client))
    office.post("promotion.approve", by=ADA, model="taxi", version=max(office.stages()))


def shown(office: Office) -> tuple[dict[int, str], dict[str, int]]:
    return office.stages(), dict(office.registry.model("taxi").aliases)


@pytest.mark.parametrize("trust", ["mlflow", "ledger"])
def test_a_database_from_a_backup_is_seen(ledger, tmp_path, trust):
    configure_client()
    office, folder = Office(ledger, tmp_path / "office", policy=REVERT), tmp_path / "mlflow"
    folder.mkdir()
    with serve(folder) as address:
        office.let_in(MlflowRegistry(address))
        client = MlflowClient(address)
        live(office, client)
        office.post("training_run.finished", model="taxi", run_id=train(client))
    shutil.copy(folder / "mlflow.db", tmp_path / "backup.db")
    with serve(folder) as address:
        office.let_in(MlflowRegistry(address))
        office.post("promotion.approve", by=ADA, model="taxi", version=2)
        after = shown(office)
        assert after == ({1: "Archived", 2: "Production"}, {"champion": 2})
        held = office.holding()
    shutil.copy(tmp_path / "backup.db", folder / "mlflow.db")
    with serve(folder) as address:
        office.let_in(MlflowRegistry(address))
        was = shown(office)
        assert was == ({1: "Production", 2: "Staging"}, {"champion": 1, "challenger": 2})
        office.post("registry.reconcile", model="taxi")
        assert "MLflow changed it last on" in office.fact("registry.disputed")
        assert (shown(office), office.holding()) == (was, held)
        office.post("registry.settle", by=ADA, model="taxi", trust=trust)
        assert shown(office) == (was if trust == "mlflow" else after)
        office.post("registry.reconcile", model="taxi")
        assert shown(office) == (was if trust == "mlflow" else after)
    with ledger.read() as connection:
        assert dispute(connection, "taxi") is None


def test_a_server_of_another_name_with_the_same_models_is_the_same(ledger, tmp_path):
    configure_client()
    office, folder = Office(ledger, tmp_path / "office", policy=REVERT), tmp_path / "mlflow"
    folder.mkdir()
    for _ in range(2):
        with serve(folder) as address:
            office.let_in(MlflowRegistry(address))
            live(office, MlflowClient(address))
            office.post("registry.reconcile", model="taxi")
    assert {kind for kind, _ in office.facts()} & {"registry.disputed", "registry.made_anew"} == set()

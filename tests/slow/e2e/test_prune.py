"""Retention on a real MLflow server, where a search shows no aliases and a delete asks nothing."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from mlflow import MlflowClient

from registrar.ledger.engine import now
from registrar.ledger.version_state import Key, StateSet
from tests.mlflow_server import train, train_logged_model
from tests.worker.harness import POLICY, WorkerHarness
from worker.registry import conversion
from worker.registry.mlflow import MlflowRegistry

TAG = Key.PRUNE_AFTER.value


@pytest.fixture
def name() -> str:
    return f"taxi-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def client(mlflow_address) -> MlflowClient:
    return MlflowClient(mlflow_address, mlflow_address)


@pytest.fixture
def harness(ledger, tmp_path, mlflow_address, name, monkeypatch) -> WorkerHarness:
    """A worker at a real registry, whose versions are all a hundred days older than MLflow says."""
    real = conversion.to_version

    def aged(found):
        version = real(found)
        return replace(version, created_at=version.created_at - timedelta(days=100))

    monkeypatch.setattr(conversion, "to_version", aged)
    kept = f"  {name}:\n    retention: {{keep_last: 1, older_than: 30d, grace: 7d}}\n"
    return WorkerHarness(ledger, tmp_path, MlflowRegistry(mlflow_address), POLICY.replace("  taxi:\n", kept))


def register(harness, client, name: str) -> None:
    run = harness.registry.run(train_logged_model(client))
    source = harness.registry.source_of(run, "model")
    harness.registry.ensure_model(name)
    harness.registry.create_version(name, source, run_id=run.id, description="", tags={})


def overdue(harness, name: str) -> None:
    """Every version's time of grace is over, as far as its mark goes."""
    stamp = (now() - timedelta(minutes=1)).isoformat()
    for version in harness.registry.versions(name):
        harness.registry.set_tag(name, version.version, TAG, stamp)
        harness.record(StateSet(name, version.version, version.created_at, Key.PRUNE_AFTER, stamp))


def test_the_champion_survives(harness, client, name):
    for _ in range(5):
        register(harness, client, name)
    client.set_registered_model_alias(name, "champion", "1")
    client.transition_model_version_stage(name, "2", "Production")
    copy = client.copy_model_version(f"models:/{name}/3", f"{name}-eu")
    harness.post("model.prune", model=name)
    assert [v.version for v in harness.registry.versions(name) if TAG in v.tags] == [4]
    assert "(12 bytes)" in harness.fact("model_version.marked_for_deletion")
    overdue(harness, name)
    event = harness.post("model.prune", model=name)
    assert harness.tasks_of(event) == [("prune", "succeeded"), ("delete", "succeeded")]
    assert sorted(harness.stages(name)) == [1, 2, 3, 5]
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    assert client.get_model_version(f"{name}-eu", copy.version).source == f"models:/{name}/3"
    assert harness.fact("model_version.pruned") == f"{name} version 4 deleted by ci (12 bytes)"
    spared = harness.fact("model_version.spared")
    assert f"{name} version 1 stays: it holds @champion" in spared
    assert f"{name} version 2 stays: it is in Production" in spared
    assert f"{name} version 3 stays: {name}-eu version 1 was copied from it" in spared
    assert [v.version for v in harness.registry.versions(name) if TAG in v.tags] == []


def test_a_deleted_versions_run_and_files_are_left(harness, client, name, tmp_path):
    run_id = train(client)
    run = harness.registry.run(run_id)
    harness.registry.ensure_model(name)
    source = harness.registry.source_of(run, "model")
    harness.registry.create_version(name, source, run_id=run_id, description="", tags={})
    register(harness, client, name)
    overdue(harness, name)
    harness.post("model.prune", model=name)
    assert sorted(harness.stages(name)) == [2]
    assert harness.fact("model_version.pruned").endswith("(19 bytes)")
    assert harness.registry.download_run(run_id, "model/MLmodel", tmp_path).is_file()

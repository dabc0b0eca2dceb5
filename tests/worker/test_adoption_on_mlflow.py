"""What people and train.py register on a real MLflow server is taken in once: renamed, made anew, by aliases alone."""

import uuid
from datetime import timedelta

import mlflow
import pytest
from mlflow import MlflowClient

from registrar.events.event import Actor
from registrar.ledger.promotions import still_open
from registrar.ledger.queries.versions import known_versions
from tests.mlflow_server import tracking_uri, train, train_logged_model
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker.registry.mlflow import MlflowRegistry

MLFLOW = Actor("source:mlflow", "somebody in MLflow (mlflow)")


@pytest.fixture
def client(harness: WorkerHarness, mlflow_address: str) -> MlflowClient:
    harness.let_in(MlflowRegistry(mlflow_address))
    return MlflowClient(mlflow_address)


@pytest.fixture
def name(harness: WorkerHarness) -> str:
    """A model's, and that of the policy."""
    model = f"adopt-{uuid.uuid4().hex[:8]}"
    harness.policy(POLICY.replace("  taxi:", f"  '{model}*':"))
    return model


def created(harness: WorkerHarness, model: str, number: int) -> None:
    harness.post("registry.changed", by=MLFLOW, model=model, change="model_version.created", version=number)


def register(client: MlflowClient, model: str, *, user: str = "grace") -> int:
    """As MLflow's UI does."""
    if not client.search_registered_models(f"name = '{model}'"):
        client.create_registered_model(model)
    run_id = train(client, user=user)
    return int(client.create_model_version(model, f"runs:/{run_id}/model", run_id=run_id).version)


def requests(harness: WorkerHarness, target: str = "Staging") -> list[int]:
    return sorted(version for version, stage, _ in harness.promotions() if stage == target)


def requesters(harness: WorkerHarness, model: str) -> list[tuple[int, str]]:
    with harness.ledger.read() as connection:
        return [(one.version, one.requested_by) for one in still_open(connection, model=model)]


def pages(harness: WorkerHarness, model: str) -> list[tuple[int, str | None]]:
    with harness.ledger.read() as connection:
        return [(known.version, known.registered_by) for known in known_versions(connection, model)]


@pytest.mark.parametrize("style", [train, train_logged_model], ids=["MLflow 2", "MLflow 3"])
@pytest.mark.parametrize("way", ["webhook", "reconcile", "event"])
def test_what_register_model_registered_is_taken_in(harness, client, name, style, way):
    created_before = register(client, name)
    created(harness, name, created_before)
    run_id = style(client, user="grace")
    with tracking_uri(harness.registry.address):
        mlflow.register_model(f"runs:/{run_id}/model", name, await_registration_for=0)
    for each in (way, "webhook", "event", "reconcile"):
        match each:
            case "webhook":
                created(harness, name, 2)
            case "reconcile":
                harness.post("registry.reconcile", by=ADA, model=name)
            case _:
                harness.post("training_run.finished", model=name, run_id=run_id, commit="c0ffee")
    assert requests(harness) == [1, 2]
    version = client.get_model_version(name, "2")
    assert (version.current_stage, version.aliases) == ("Staging", ["challenger"])
    assert version.tags["registrar.commit"] == "c0ffee"
    assert requesters(harness, name) == [(2, "source:ci" if way == "event" else "mlflow:grace")]
    assert pages(harness, name)[0] == (2, "ci" if way == "event" else "grace in MLflow")


@pytest.mark.parametrize("later", [timedelta(), timedelta(minutes=5)], ids=["at once", "five minutes later"])
def test_a_renamed_model_goes_on_under_its_new_name(harness, client, name, later):
    created(harness, name, register(client, name))
    new = f"{name}-new"
    client.rename_registered_model(name, new)
    harness.jump(later)
    harness.post("registry.reconcile", by=ADA, model=new)
    assert requests(harness) == [1], "it was taken in under its former name"
    created(harness, new, register(client, new))
    harness.post("registry.reconcile", by=ADA, model=new)
    assert requests(harness) == [1, 2]
    assert requesters(harness, new) == [(2, "mlflow:grace")]
    assert pages(harness, new) == [(2, "grace in MLflow")]


@pytest.mark.parametrize("way", ["webhook", "reconcile"])
def test_a_model_that_was_made_anew_is_taken_in_anew(harness, client, name, way):
    created(harness, name, register(client, name))
    created(harness, name, register(client, name))
    client.delete_registered_model(name)
    register(client, name, user="eve")
    if way == "webhook":
        created(harness, name, 1)
    harness.post("registry.reconcile", by=ADA, model=name)
    harness.until_nothing_waits()
    assert requests(harness) == [1, 1, 2]
    assert requesters(harness, name) == [(1, "mlflow:eve")]
    assert client.get_model_version(name, "1").current_stage == "Staging"


def test_a_team_of_aliases_alone_sees_no_stage(harness, client, name):
    harness.policy(POLICY.replace("  taxi:\n", f"  {name}:\n    mode: aliases\n"))
    created(harness, name, register(client, name))
    version = client.get_model_version(name, "1")
    assert (version.current_stage, version.aliases) == ("None", ["challenger"])
    assert requesters(harness, name) == [(1, "mlflow:grace")]


def test_a_copy_of_a_version_is_a_version_of_its_own(harness, client, name):
    """MLflow copies tags as well: those of ours prove nothing."""
    created(harness, name, register(client, name))
    other = f"{name}-live"
    client.create_registered_model(other)
    with tracking_uri(harness.registry.address):
        client.copy_model_version(f"models:/{name}/1", other)
    created(harness, other, 1)
    assert client.get_model_version(other, "1").current_stage == "Staging"
    assert pages(harness, other) == [(1, "grace in MLflow")]


def test_models_from_before_are_taken_in_by_one_command(harness, client, name):
    for _ in range(3):
        register(client, name)
    client.transition_model_version_stage(name, "2", "Production")
    client.set_registered_model_alias(name, "champion", "2")
    harness.post("registry.reconcile", by=ADA, model=f"{name}-none")
    harness.post("model.adopt", by=ADA, plan=True)
    assert client.get_model_version(name, "3").tags == {}
    harness.post("model.adopt", by=ADA)
    assert client.get_model_version(name, "3").current_stage == "Staging"
    assert client.get_model_version(name, "2").tags == {}
    assert harness.holding(name) == {"@champion": [2], "Production": [2], "@challenger": [3], "Staging": [3]}
    assert requests(harness) == [3]

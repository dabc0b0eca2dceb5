"""The main job on each MLflow server that the doctor knows; CI takes some of them, `make servers` all."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from registrar.doctor import DoctorContext
from registrar.doctor.mlflow_servers import KNOWN, KnownServer
from registrar.http.mlflow_server import MlflowServer
from registrar.ledger.queries.holdings import history
from tests.certificates import certificate
from tests.doctor.conftest import looked
from tests.mlflow_server import serve, train, train_logged_model
from tests.slow.mlflow_servers.installed import basic_auth_packages, server_python
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker import registry_poll
from worker.registry.mlflow import MlflowRegistry

IN_CI = ("2.9.2", "2.22.5")
CHOSEN = [server for server in KNOWN[:-1] if server.version in IN_CI or os.environ.get("MLFLOW_SERVERS") == "all"]
NEWEST = KNOWN[-1]
ADMIN = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "a password of MLflow's admin"}


@dataclass(frozen=True)
class Reached:
    """A server, and what a client's environment needs to reach it."""

    address: str
    known: KnownServer
    environ: dict[str, str] = field(default_factory=dict)


def plain(folder: Path) -> AbstractContextManager[str]:
    return serve(folder)


def with_login(folder: Path) -> AbstractContextManager[str]:
    (folder / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = admin\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\nauth_cache_ttl_seconds = 60\n"
    )
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN["MLFLOW_TRACKING_PASSWORD"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test alone",
        "PYTHONPATH": basic_auth_packages(),
    }
    return serve(folder, options=("--app-name", "basic-auth"), **environment)


def behind_a_prefix(folder: Path) -> AbstractContextManager[str]:
    return serve(folder, options=("--static-prefix", "/ml/flow"), url="http://127.0.0.1:{port}/ml/flow")


def with_tls(folder: Path) -> AbstractContextManager[str]:
    certificate(folder / "own.pem")
    options = f"--ssl-certfile {folder}/own.pem --ssl-keyfile {folder}/own.pem"
    return serve(folder, options=("--uvicorn-opts", options), url="https://127.0.0.1:{port}")


WAYS: dict[str, tuple[Callable[[Path], AbstractContextManager[str]], Callable[[Path], dict[str, str]]]] = {
    NEWEST.version: (plain, lambda _: {}),
    "basic-auth": (with_login, lambda _: ADMIN),
    "static prefix": (behind_a_prefix, lambda _: {}),
    "TLS": (with_tls, lambda folder: {"MLFLOW_TRACKING_SERVER_CERT_PATH": f"{folder}/own.pem"}),
}


@pytest.fixture(params=[*(server.version for server in CHOSEN), *WAYS], scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    folder = tmp_path_factory.mktemp("mlflow")
    if way := WAYS.get(request.param):
        with way[0](folder) as address:
            yield Reached(address, NEWEST, way[1](folder))
        return
    [known] = [server for server in KNOWN if server.version == request.param]
    with serve(folder, python=server_python(known.version)) as address:
        yield Reached(address, known)


@pytest.fixture
def client(server: Reached, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return MlflowClient(server.address, server.address)


@pytest.fixture
def model() -> str:
    return f"taxi-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def harness(ledger, tmp_path: Path, server: Reached, client: MlflowClient, model: str) -> WorkerHarness:
    """A worker of that server, for a model of its own."""
    made = WorkerHarness(ledger, tmp_path)
    source = "  mlflow: {kind: mlflow, secrets: [env:HOOK], may: [{events: [registry.changed], models: ['*']}]}\n"
    made.policy(POLICY.replace("  taxi:\n", f"  {model}:\n    poll_every: 1m\n").replace("people:", f"{source}people:"))
    made.settings(
        mlflow_uri=server.address,
        ledger_url=ledger.engine.url.render_as_string(hide_password=False),
        public_url="http://127.0.0.1:9",
        environ={"HOOK": "h" * 32, **server.environ},
    )
    made.let_in(MlflowRegistry(server.address))
    return made


def doctor(harness: WorkerHarness, part: str) -> list[tuple[str, str]]:
    context = DoctorContext(Path(), harness.context.settings, harness.context.policy)
    return [(finding.level, finding.seen) for finding in looked(part, context)]


def test_the_main_job(server: Reached, harness: WorkerHarness, client: MlflowClient, model: str):
    registry_poll.poll(harness.context)
    good, worse, better = train(client, rmse=5.0), train(client, rmse=9.0), train(client, rmse=4.0)
    harness.post("training_run.finished", model=model, run_id=good, tags={"team": model})
    harness.post("promotion.approve", by=ADA, model=model, version=1)
    assert harness.post("training_run.finished", model=model, run_id=worse)
    assert "rmse 9 is not < 7" in harness.fact("model_version.held_back")
    harness.post("training_run.finished", model=model, run_id=better)
    harness.post("promotion.approve", by=ADA, model=model, version=3)
    assert harness.stages(model) == {1: "Archived", 2: "None", 3: "Production"}
    assert harness.registry.model(model).aliases["champion"] == 3
    assert [version.run_id for version in harness.registry.versions(model, run_id=better)] == [better]
    found = client.search_model_versions(f"tags.`team` = '{model}'")
    assert [(version.name, int(version.version)) for version in found] == [(model, 1)]
    assert "version 3 was transitioned to Production" in harness.registry.version(model, 3).description
    with harness.ledger.read() as connection:
        held = [(row.version, row.until is None) for row in history(connection, model) if row.key == "Production"]
    assert sorted(held) == [(1, False), (3, True)]
    assert model in [each.name for each in harness.registry.models()]

    found = doctor(harness, "mlflow")
    assert {level for level, _ in found} == {"ok"}, found
    assert found[0][1] == "; ".join([f"MLflow {server.known.version}", *server.known.falls_back()])
    assert "MLflow agrees with the record about 2 holders of stages and aliases" in [seen for _, seen in found]
    [(_, seen), *_] = doctor(harness, "webhook")
    says = "MLflow has no webhook to http://127.0.0.1:9" if server.known.webhooks else "has no webhooks: they came with"
    assert says in seen


def test_a_model_beside_its_run(server: Reached, harness: WorkerHarness, client: MlflowClient, model: str):
    if not server.known.logged_models:
        answer = requests.get(f"{server.address}/api/2.0/mlflow/logged-models/m-1", timeout=10)
        assert (answer.status_code, "json" in answer.headers["Content-Type"]) == (404, False)
        return
    harness.post("training_run.finished", model=model, run_id=train_logged_model(client))
    harness.post("promotion.approve", by=ADA, model=model, version=1)
    assert harness.stages(model) == {1: "Production"}


def test_changes_by_hand_are_found(server: Reached, harness: WorkerHarness, client: MlflowClient, model: str):
    """Also of a version that was deleted while an alias pointed at it."""
    registry_poll.poll(harness.context)
    for _ in range(2):
        harness.post("training_run.finished", model=model, run_id=train(client))
    run_id = train(client)
    client.create_model_version(model, f"runs:/{run_id}/model", run_id=run_id)
    client.set_registered_model_alias(model, "mine", "3")
    registry_poll.poll(harness.context)
    harness.work()
    told, seen = " ".join(text for _, text in harness.facts()), f"{model} version 3 was registered in MLflow"
    assert told.count(seen) == told.count(f"@mine of {model}") == 1, told
    client.delete_model_version(model, "3")
    assert ("mine" not in harness.registry.model(model).aliases) == server.known.drops_aliases
    event = harness.post("registry.reconcile", model=model)
    assert harness.tasks_of(event)[0] == ("reconcile", "succeeded")
    client.set_registered_model_alias(model, "champion", "2")
    registry_poll.poll(harness.context)
    harness.work()
    assert f"@champion of {model}" in " ".join(text for _, text in harness.facts())


def test_workspaces_are_what_the_table_says(server: Reached, client: MlflowClient):
    """The server's own answer to its clients."""
    asked = MlflowServer(server.address, server.environ).get("/api/3.0/mlflow/server-info")
    assert (asked.status == 200 and "workspaces_enabled" in asked.text) == server.known.workspaces

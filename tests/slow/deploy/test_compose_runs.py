"""docker-compose.yml, started: a container engine is not everywhere, but each service's command line runs anywhere."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from registrar.http.event_client import Address, compose, follow, post
from tests.deploy.composefile import ROOT, ours
from tests.mlflow_server import train
from tests.slow.deploy.compose_stack import ComposeStack, seconds

PATIENCE = 60.0


def eventually(found: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE
    while not (answer := found()):
        assert time.monotonic() < until, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.3)
    return answer


def send(street: ComposeStack, type_: str, **data: Any) -> dict[str, Any]:
    """Post an event as CI does, and follow it to its end."""
    secret = (street.folder / "made" / "ci_whsec").read_text().strip()
    to = Address(f"{street.receiver_url}/webhooks/ci", secret)
    receipt = post(to, compose(type_, data, at=None), id=f"msg_{uuid.uuid4().hex}")
    return follow(receipt.status_url, seconds=PATIENCE)


@pytest.fixture(scope="module")
def registry(street: ComposeStack) -> MlflowClient:
    return MlflowClient(street.mlflow_url)


def test_every_service_becomes_healthy_by_its_own_healthcheck(street: ComposeStack) -> None:
    assert set(street.houses) == set(ours())
    assert all(house.healthy() for name, house in street.houses.items() if name != "migrate")


def test_receiver_and_worker_show_their_metrics_to_who_is_in_their_network(street: ComposeStack) -> None:
    told = {"9101": "registrar_ledger_up 1.0", "9102": "registrar_task_attempt_seconds", "9103": "registrar_loop_age"}
    for port, name in told.items():
        assert name in requests.get(f"http://127.0.0.1:{street.ports[port]}/metrics", timeout=10).text


def test_a_failed_training_is_accepted_and_told(street: ComposeStack) -> None:
    event = send(street, "training_run.failed", model="churn", reason="out of memory")
    assert event["state"] == "succeeded", event
    assert "worker.notify" in [task["name"] for task in event["tasks"]]


def test_a_finished_training_becomes_version_1_in_staging(street: ComposeStack, registry: MlflowClient) -> None:
    run_id = train(registry)
    event = send(street, "training_run.finished", model="churn-compose", run_id=run_id)
    assert event["state"] == "succeeded", event
    version = registry.get_model_version("churn-compose", "1")
    assert version.run_id == run_id
    # deploy/registrar.yml: Staging and @challenger are automatic
    assert eventually(lambda: staged(registry), "the version in Staging, with its alias")


def staged(registry: MlflowClient) -> bool:
    stage = str(registry.get_model_version("churn-compose", "1").current_stage)
    aliases = dict(registry.get_registered_model("churn-compose").aliases)
    return stage == "Staging" and aliases == {"challenger": "1"}


def test_the_model_is_fetched_through_mlflows_volume(street: ComposeStack, registry: MlflowClient) -> None:
    run_id = train(registry)
    event = send(street, "artifacts.fetch", run_id=run_id, path="model")
    assert event["state"] == "succeeded", event
    assert (street.folder / "volumes" / "artifacts" / "runs" / run_id / "model" / "MLmodel").is_file()


@pytest.mark.parametrize(("host", "status"), [("mlflow:5000", 200), ("mlflow", 200), ("rebound.example", 403)])
def test_mlflow_answers_to_its_name_in_the_network_and_to_no_foreign_one(
    street: ComposeStack, host: str, status: int
) -> None:
    url = f"{street.mlflow_url}/api/2.0/mlflow/registered-models/search"
    assert requests.get(url, headers={"Host": host}, timeout=10).status_code == status


def test_redis_asks_for_the_password_and_syncs_every_write(street: ComposeStack) -> None:
    house = street.houses["redis"]
    asked = {name: redis_setting(street, name) for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    assert asked == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    bare = ["redis-cli", "-p", str(street.ports["6379"]), "ping"]
    done = subprocess.run(bare, env=house.environment, capture_output=True, text=True, timeout=10, check=False)
    assert "NOAUTH" in done.stdout


def redis_setting(street: ComposeStack, name: str) -> str:
    house = street.houses["redis"]
    password = (street.folder / "made" / "redis_conf").read_text().split()[1]
    command = ["redis-cli", "-p", str(street.ports["6379"]), "config", "get", name]
    environment = house.environment | {"REDISCLI_AUTH": password}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.split()[1]


def test_a_database_lets_only_its_owner_in(street: ComposeStack) -> None:
    def entered(user: str, secret: str, database: str) -> bool:
        house = street.houses["postgres"]
        password = (street.folder / "made" / secret).read_text().strip()
        to = f"host=127.0.0.1 port={street.ports['5432']} user={user} dbname={database} connect_timeout=5"
        command = ["psql", "--no-psqlrc", "--command=SELECT 1", to]
        environment = house.environment | {"PGPASSWORD": password}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=10, check=False)
        return done.returncode == 0

    assert entered("registrar", "ledger_password", "registrar")
    assert entered("mlflow", "mlflow_password", "mlflow")
    assert not entered("registrar", "ledger_password", "mlflow")
    assert not entered("mlflow", "mlflow_password", "registrar")
    assert not entered("registrar", "mlflow_password", "registrar")


def test_a_worker_that_is_not_there_is_unhealthy(street: ComposeStack, tmp_path: Path) -> None:
    """From another container, whose /tmp is another."""
    environment = {**street.houses["worker"].environment, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "registrar", "alive", "--part", "worker"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (1, "no worker of this installation runs here\n")


def test_no_log_holds_a_secret(street: ComposeStack) -> None:
    made = street.folder / "made"
    values = {path.name: path.read_text().split()[-1].removeprefix("password=") for path in made.glob("[a-z]*")}
    for name, house in street.houses.items():
        log = house.log.read_text()
        assert not [secret for secret, value in values.items() if value in log], name


def test_no_secret_is_in_a_command_line_or_a_foreign_environment(street: ComposeStack) -> None:
    made = street.folder / "made"
    passwords = [(made / name).read_text().split()[-1] for name in ("ledger_password", "mlflow_password", "redis_conf")]
    for name, house in street.houses.items():
        seen = [*house.ground.command(), *house.environment.values()]
        assert not [password for password in passwords if password in " ".join(seen)], name


def test_services_write_only_into_volumes_and_tmpfs(street: ComposeStack) -> None:
    """Their root file systems are read-only: what they leave in the working folder would be refused there."""
    assert [str(path) for path in street.folder.glob("*/cwd/*")] == []


def test_every_service_stops_within_its_grace_period(street: ComposeStack) -> None:
    """The last one: it closes the street."""
    took = street.close()
    for name, service in ours().items():
        assert took[name] <= seconds(service.get("stop_grace_period", "10s")), name

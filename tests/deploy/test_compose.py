"""What docker-compose.yml promises, read from the file."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from registrar.local.data_folder import Folder
from registrar.local.installation import Installation
from registrar.local.services import plan
from registrar.policy import load
from tests.deploy.composefile import COMPOSE_FILE, ROOT, lasting, ours, read, services
from tests.needs import needs

SERVICES = services()
POLICY = ROOT / "deploy/registrar.yml"
# Where a number or a path may differ from `registrar up`: what follows these words.
# Options that are others here: addresses, and how many processes MLflow's database bears.
OTHERS = {"--bind", "--port", "--host", "--dir", "--backend-store-uri", "--artifacts-destination", "--allowed-hosts"}
OF_MLFLOW = {"--workers"}

each_service = pytest.mark.parametrize("name", SERVICES)


def test_docker_compose_accepts_the_file() -> None:
    program = needs("docker-compose", install="apt-get install docker-compose")
    command = [program, "--file", str(COMPOSE_FILE), "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_lines_are_those_of_registrar_up(tmp_path: Path) -> None:
    site = Installation(Folder(tmp_path), tmp_path / "registrar.yml", {"redis": 1, "mlflow": 2, "receiver": 3}, "key")
    site.folder.prepare()
    for part in plan(site):
        ours = [word for word in SERVICES[part.name]["command"] if not word.startswith("/run/secrets/")]
        others = OTHERS | (OF_MLFLOW if part.name == "mlflow" else set())
        assert flags(ours, others) == flags(part.command, others), part.name


def flags(command: Any, others: set[str]) -> list[str]:
    """Sorted words after the program, without the options that are others: the order is free."""
    words, kept = list(command)[1:], []
    while words:
        word = words.pop(0)
        if word in others:
            words.pop(0)
        else:
            kept.append(word)
    return sorted(kept)


@each_service
def test_no_service_runs_as_root(name: str) -> None:
    assert SERVICES[name]["user"] not in ("", "0", "0:0", "root")


@each_service
def test_every_service_has_as_few_rights_as_can_be(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "network_mode"} & set(service)


@each_service
def test_every_service_is_bounded_in_memory_processes_and_logs(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", lasting())
def test_every_lasting_service_is_checked_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_parts_without_a_port_are_asked_for_their_own_word(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "registrar", "alive", "--part", name]


@each_service
def test_every_image_is_pinned_to_an_exact_version(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    service = SERVICES[name]
    image, _, tag = service["image"].partition(":")
    if "build" in service:
        assert (image, tag) == (f"mlflow-registrar-{service['build']['target']}", version)
    else:
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?-bookworm|v?\d+\.\d+\.\d+", tag)


@each_service
def test_secrets_come_from_files_and_never_from_the_environment(name: str) -> None:
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET|KEY|TOKEN|LEDGER_URL|BROKER_URL", variable):
            assert variable.endswith("_FILE"), variable
            assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert not re.search(r"://[^/@\s]*:[^/@\s]+@", yaml.safe_dump(service)), "a password in an address"


def test_every_secret_is_made_by_the_script_and_used(tmp_path: Path) -> None:
    subprocess.run([ROOT / "deploy/make-secrets", tmp_path], check=True, capture_output=True, timeout=30)
    made = {path.name for path in tmp_path.iterdir()} - {".gitignore"}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert made == used == set(read()["secrets"])
    assert all(entry == {"file": f"./secrets/{secret}"} for secret, entry in read()["secrets"].items())


def test_the_examples_secrets_are_given_to_the_receiver() -> None:
    secrets = {secret for source in load(POLICY).sources.values() for secret in source.secrets}
    assert {secret.removeprefix("file:/run/secrets/") for secret in secrets} <= set(SERVICES["receiver"]["secrets"])


def test_the_policy_is_mounted_read_only_where_it_is_read() -> None:
    mount = "./deploy/registrar.yml:/etc/registrar/registrar.yml:ro"
    assert {name for name, service in SERVICES.items() if mount in service.get("volumes", [])} >= {"receiver", "worker"}


def test_redis_and_postgresql_have_no_way_out_and_no_way_in() -> None:
    assert read()["networks"]["inside"] == {"internal": True}
    for name in ("redis", "postgres"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]


def test_nothing_is_published_beyond_this_machine_unless_asked() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "mlflow": ["127.0.0.1:5000:5000"],
        "receiver": ["127.0.0.1:8080:8080"],
        "flower": ["127.0.0.1:5555:5555"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_what_watches_starts_where_it_is_asked_for_and_nowhere_else() -> None:
    """By the file: docker-compose 1.29's `config` lists what a profile has whether it is asked for or not."""
    watching = {name for name, service in SERVICES.items() if service.get("profiles") == ["watch"]}
    assert watching == {"flower", "prometheus", "grafana"} == set(SERVICES) - set(ours())
    assert not [name for name, service in ours().items() if watching & set(service.get("depends_on", {}))]


def test_prometheus_scrapes_the_addresses_that_receiver_and_worker_have() -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {host: dns["port"] for job in jobs for dns in job["dns_sd_configs"] for host in dns["names"]}
    told = {name: SERVICES[name]["environment"] for name in asked}
    assert told["receiver"]["REGISTRAR_METRICS"] == f"0.0.0.0:{asked['receiver']}"
    assert told["worker"]["REGISTRAR_WORKER_METRICS"] == f"0.0.0.0:{asked['worker']}"
    assert told["beat"]["REGISTRAR_BEAT_METRICS"] == f"0.0.0.0:{asked['beat']}"
    assert set(SERVICES["prometheus"]["networks"]) & set(SERVICES["worker"]["networks"])


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioned = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioned / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioned / "dashboards/registrar.yml").read_text())["providers"]
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    there = {path: source for source, path in mounts.items()}[provider["options"]["path"]]
    assert [path.name for path in (ROOT / there).iterdir()] == ["registrar.json"]


def test_nobody_writes_to_the_ledger_before_it_is_migrated() -> None:
    for name in ("receiver", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_the_worker_has_the_time_that_celery_needs_to_stop() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "45s"

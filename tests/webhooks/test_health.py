"""Alive and ready: who is told what, part by part."""

import time

import pytest

from registrar.config.settings import Settings
from registrar.ledger import Ledger, heartbeats
from registrar.ledger.capacity import LEAST_FREE
from tests.broker import Broker
from tests.webhooks.conftest import Receiver, environ, finished
from webhooks.app import create_app
from webhooks.monitoring import health

BALANCER = "/readyz?exclude=broker"


@pytest.fixture(autouse=True)
def always_looking(monkeypatch):
    monkeypatch.setattr(health, "FRESH", 0.0)


def failing(answer) -> dict[str, str]:
    return {name: one["detail"] for name, one in answer.json["checks"].items() if one["status"] == "fail"}


def test_ready_is_every_part_by_its_name(ledger: Ledger, broker: Broker, tmp_path):
    receiver = create_app(Settings.read(environ(tmp_path, broker=broker.url))).test_client()
    answer = receiver.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    assert (list(answer.json["checks"]), failing(answer)) == (["ledger", "disk", "broker", "work"], {})


def test_without_a_broker_it_is_alive_and_not_ready(receiver: Receiver):
    assert receiver.client.get("/healthz").json == {"status": "alive"}
    answer = receiver.client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json["code"]) == (503, "5", "not_ready")
    assert failing(answer) == {"broker": answer.json["detail"]}
    assert "the broker does not answer" in answer.json["detail"]


def test_a_load_balancer_keeps_a_receiver_that_has_no_broker_and_it_accepts(receiver: Receiver):
    answer = receiver.client.get(BALANCER)
    assert (answer.status_code, list(failing(answer))) == (200, ["broker"])
    assert receiver.send(finished()).status_code == 202


def test_a_part_that_there_is_not_can_not_be_excluded(receiver: Receiver):
    answer = receiver.client.get("/readyz?exclude=brokr")
    assert answer.status_code == 422
    assert "exclude knows ledger, disk, broker, work; not 'brokr'" in answer.json["detail"]


def test_a_ledger_that_another_process_keeps_locked_is_not_ready(receiver: Receiver, settings: Settings):
    other = Ledger(settings.ledger_url)
    with other.write():
        answer = receiver.client.get(BALANCER)
        assert receiver.client.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert failing(answer)["ledger"].startswith("the ledger is locked by another process")
    assert receiver.client.get(BALANCER).status_code == 200
    other.close()


def test_a_disk_that_is_nearly_full_is_not_ready(receiver: Receiver, monkeypatch):
    monkeypatch.setattr(health, "free_bytes", lambda ledger: LEAST_FREE - 1)
    answer = receiver.client.get(BALANCER)
    assert answer.status_code == 503
    assert "disk has 32.0 MiB left" in failing(answer)["disk"]


def test_being_asked_leaves_nothing_in_the_ledger(receiver: Receiver):
    receiver.client.get("/readyz")
    assert receiver.rows(heartbeats.heartbeats) == []


def test_however_many_ask_it_looks_once_a_second(receiver: Receiver, monkeypatch):
    looks = []
    monkeypatch.setattr(health, "FRESH", 60.0)
    monkeypatch.setattr(health, "probe", lambda connection: looks.append(time.monotonic()))
    for _ in range(20):
        receiver.client.get(BALANCER)
    assert len(looks) == 1


@pytest.mark.both_ledgers
def test_what_is_asked_of_the_disk_is_its_owners(ledger: Ledger):
    seen = health.free_bytes(ledger)
    assert (seen is None) == (ledger.engine.dialect.name == "postgresql")

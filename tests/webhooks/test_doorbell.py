"""Ringing after a commit, with a real Redis and without one."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.queue import PEAL, QUEUE, Bell
from registrar.settings import Settings
from tests.broker import Broker
from tests.webhooks.conftest import NOBODY, Receiver, environ, finished
from webhooks import doorbell as module
from webhooks.app import create_app
from webhooks.doorbell import Doorbell

BELL = Bell("tsk_1", "worker.register")
OTHER = Bell("tsk_2", "worker.register")


def ring(url: str, ledger: Ledger, *bells: Bell) -> Doorbell:
    """Each by itself, as from requests that follow each other; all are rung when it returns."""
    doorbell = Doorbell(url)
    for bell in bells:
        doorbell.ring([bell])
    doorbell.close()
    return doorbell


def test_a_bell_is_a_celery_message_on_the_workers_queue(ledger: Ledger, broker: Broker):
    ring(broker.url, ledger, BELL)
    assert broker.client.llen(QUEUE) == 1


def test_what_is_accepted_is_rung_and_the_receiver_is_ready(ledger: Ledger, broker: Broker, tmp_path: Path):
    settings = Settings.read(environ(tmp_path, broker=broker.url))
    receiver = Receiver(create_app(settings).test_client(), ledger, settings)
    assert receiver.client.get("/readyz").json["status"] == "ready"
    for id_ in ("msg_1", "msg_1", "msg_2"):
        receiver.send(finished(model=f"nyc-taxi-{id_}"), id=id_)
    deadline = time.monotonic() + 10
    while broker.client.llen(QUEUE) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert broker.client.llen(QUEUE) == 2


@pytest.mark.parametrize("setting", ["maxmemory", "min-replicas-to-write"])
def test_a_broker_that_takes_no_writes_is_no_error(ledger: Ledger, broker: Broker, setting: str):
    broker.client.config_set(setting, "1")
    try:
        ring(broker.url, ledger, BELL)
    finally:
        broker.client.config_set(setting, "0")
    assert broker.client.llen(QUEUE) == 0


def test_a_silent_broker_is_left_alone_for_a_while(ledger: Ledger, monkeypatch):
    tried = []
    monkeypatch.setattr(module, "ring", lambda app, bells: tried.append(bells))
    doorbell = ring(NOBODY, ledger, BELL)
    doorbell._ring([OTHER])
    assert tried == [[BELL]]


def test_nobody_waits_for_a_broker_that_hangs(ledger: Ledger, broker: Broker):
    doorbell = Doorbell(broker.url)
    broker.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    for _ in range(100):
        doorbell.ring([BELL])
    assert time.monotonic() - begin < module.TIMEOUT


def test_what_comes_during_a_ring_is_rung_together(ledger: Ledger, monkeypatch):
    under_way, go, rung = threading.Event(), threading.Event(), []

    def slow(app, bells) -> bool:
        rung.append(list(bells))
        under_way.set()
        go.wait(10)
        return True

    monkeypatch.setattr(module, "ring", slow)
    doorbell = Doorbell(NOBODY)
    doorbell.ring([BELL])
    under_way.wait(10)
    for _ in range(3):
        doorbell.ring([OTHER])
    go.set()
    doorbell.close()
    assert rung == [[BELL], [OTHER, OTHER, OTHER]]


def test_many_bells_are_one_message(ledger: Ledger, broker: Broker):
    doorbell = Doorbell(broker.url)
    doorbell.ring([Bell(f"tsk_{number}", "worker.register") for number in range(module.FEW + 1)])
    doorbell.close()
    [message] = map(json.loads, broker.client.lrange(QUEUE, 0, -1))
    assert message["headers"]["task"] == PEAL


def test_a_fault_of_ours_ends_no_ringing(ledger: Ledger, broker: Broker, monkeypatch):
    doorbell = Doorbell(broker.url)
    with monkeypatch.context() as broken:
        done = threading.Event()

        def fail(app, bells) -> bool:
            done.set()
            raise RuntimeError("nobody foresaw this")

        broken.setattr(module, "ring", fail)
        doorbell.ring([BELL])
        assert done.wait(10)
    doorbell.ring([OTHER])
    doorbell.close()
    assert broker.client.llen(QUEUE) == 1


def test_more_than_it_can_keep_is_left_to_the_sweep(ledger: Ledger, broker: Broker, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 3)
    doorbell = Doorbell(broker.url)
    monkeypatch.setattr(doorbell, "_begin", lambda: None)
    for _ in range(5):
        doorbell.ring([BELL])
    assert doorbell._waiting.qsize() == 3

"""Ringing after a commit, with a real Redis and without one."""

import signal
import time
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.queue import QUEUE, Bell
from registrar.settings import Settings
from tests.broker import Broker
from tests.webhooks.conftest import NOBODY, Receiver, environ, finished
from webhooks.app import create_app
from webhooks.doorbell import Doorbell

BELL = Bell("tsk_1", "worker.register")


def test_a_bell_is_a_celery_message_on_the_workers_queue(broker: Broker):
    Doorbell(broker.url).ring([BELL, BELL])
    assert broker.client.llen(QUEUE) == 2


def test_what_is_accepted_is_rung_and_the_receiver_is_ready(ledger: Ledger, broker: Broker, tmp_path: Path):
    settings = Settings.read(environ(tmp_path, broker=broker.url))
    receiver = Receiver(create_app(settings).test_client(), ledger, settings)
    assert receiver.client.get("/readyz").json["status"] == "ready"
    for _ in range(2):
        receiver.send(finished(), id="msg_1")
    assert broker.client.llen(QUEUE) == 1


@pytest.mark.parametrize("setting", ["maxmemory", "min-replicas-to-write"])
def test_a_broker_that_takes_no_writes_is_no_error(broker: Broker, setting: str):
    broker.client.config_set(setting, "1")
    try:
        Doorbell(broker.url).ring([BELL])
    finally:
        broker.client.config_set(setting, "0")
    assert broker.client.llen(QUEUE) == 0


def test_a_silent_broker_is_left_alone_for_a_while(monkeypatch):
    doorbell, tried = Doorbell(NOBODY), []
    monkeypatch.setattr("webhooks.doorbell.ring", lambda app, bells: tried.append(bells))
    doorbell.ring([BELL])
    doorbell.ring([BELL])
    assert len(tried) == 1


def test_a_broker_that_hangs_delays_an_answer_by_a_second_at_most(broker: Broker):
    doorbell = Doorbell(broker.url)
    doorbell.ring([BELL])
    broker.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    doorbell.ring([BELL])
    assert time.monotonic() - begin < 1.5

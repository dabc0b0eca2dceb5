"""Publishing after a commit, with a real Redis and without one."""

import base64
import json
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from registrar.broker import dispatcher as module
from registrar.broker.celery_app import PUBLISH_BATCH, QUEUE
from registrar.broker.dispatcher import Dispatcher
from registrar.broker.task_message import TaskMessage
from registrar.config.settings import Settings
from registrar.ledger import Ledger
from tests.broker import Broker
from tests.webhooks.conftest import NOBODY, Receiver, environ, finished
from webhooks.app import create_app

BELL = TaskMessage("tsk_1", "worker.register")
OTHER = TaskMessage("tsk_2", "worker.register")


def published(url: str, *task_messages: TaskMessage) -> Dispatcher:
    """Each by itself, as from requests that follow each other; all are published when it returns."""
    dispatcher = Dispatcher(url)
    for task_message in task_messages:
        dispatcher.publish([task_message])
    dispatcher.close()
    return dispatcher


def test_a_task_is_a_celery_message_on_the_workers_queue(broker: Broker):
    published(broker.url, BELL)
    assert broker.client.llen(QUEUE) == 1


def test_what_is_accepted_is_published_and_the_receiver_is_ready(ledger: Ledger, broker: Broker, tmp_path: Path):
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
def test_a_broker_that_takes_no_writes_is_no_error(broker: Broker, setting: str):
    broker.client.config_set(setting, "1")
    try:
        published(broker.url, BELL)
    finally:
        broker.client.config_set(setting, "0")
    assert broker.client.llen(QUEUE) == 0


def test_a_silent_broker_is_left_alone_for_a_while(monkeypatch):
    tried = []
    monkeypatch.setattr(module, "publish", lambda app, task_messages: tried.append(task_messages))
    dispatcher = published(NOBODY, BELL)
    dispatcher._publish([OTHER])
    assert tried == [[BELL]]


def test_nobody_waits_for_a_broker_that_hangs(broker: Broker):
    dispatcher = Dispatcher(broker.url)
    broker.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    for _ in range(100):
        dispatcher.publish([BELL])
    assert time.monotonic() - begin < module.TIMEOUT


def test_what_comes_while_something_is_published_is_published_together(monkeypatch):
    under_way, go, rung = threading.Event(), threading.Event(), []

    def slow(app, task_messages) -> bool:
        rung.append(list(task_messages))
        under_way.set()
        go.wait(10)
        return True

    monkeypatch.setattr(module, "publish", slow)
    dispatcher = Dispatcher(NOBODY)
    dispatcher.publish([BELL])
    under_way.wait(10)
    for _ in range(3):
        dispatcher.publish([OTHER])
    go.set()
    dispatcher.close()
    assert rung == [[BELL], [OTHER, OTHER, OTHER]]


def test_many_tasks_are_one_message(broker: Broker):
    dispatcher = Dispatcher(broker.url)
    dispatcher.publish([TaskMessage(f"tsk_{number}", "worker.register") for number in range(module.FEW + 1)])
    dispatcher.close()
    [message] = map(json.loads, broker.client.lrange(QUEUE, 0, -1))
    assert message["headers"]["task"] == PUBLISH_BATCH


def test_a_fault_of_ours_ends_no_publishing(broker: Broker, monkeypatch):
    dispatcher = Dispatcher(broker.url)
    with monkeypatch.context() as broken:
        done = threading.Event()

        def fail(app, task_messages) -> bool:
            done.set()
            raise RuntimeError("nobody foresaw this")

        broken.setattr(module, "publish", fail)
        dispatcher.publish([BELL])
        assert done.wait(10)
    dispatcher.publish([OTHER])
    dispatcher.close()
    assert broker.client.llen(QUEUE) == 1


def test_more_than_it_can_keep_is_left_to_the_sweep(broker: Broker, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 3)
    dispatcher = Dispatcher(broker.url)
    monkeypatch.setattr(dispatcher._batches, "_start", lambda: None)
    for _ in range(5):
        dispatcher.publish([BELL])
    assert dispatcher._batches.waiting() == 3


def test_it_says_whether_the_broker_answers(broker: Broker):
    assert Dispatcher(broker.url).answers()
    assert not Dispatcher(NOBODY).answers()


def test_what_waits_is_published_at_the_end(broker: Broker):
    dispatcher = Dispatcher(broker.url)
    for number in range(7):
        dispatcher.publish([TaskMessage(f"tsk_{number}", "worker.register")])
    dispatcher.close()
    messages = [json.loads(message)["body"] for message in broker.client.lrange(QUEUE, 0, -1)]
    assert set(re.findall(r"tsk_\d", str([base64.b64decode(body) for body in messages]))) == {
        f"tsk_{number}" for number in range(7)
    }

"""Real processes on a real Redis: what the ledger says of a worker that works, and of one that only lives."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from registrar.broker.celery_app import QUEUE
from registrar.ledger import Ledger, heartbeats
from registrar.ledger.heartbeats import Heartbeat
from tests.broker import Broker
from tests.worker.harness import KEY
from worker.heartbeat import WorkerHeartbeat

POLICY = "{version: 1, sources: {ci: {kind: standard, secrets: [env:CI]}}, channels: {log: {kind: log}}}"
# Heartbeats come faster, and at SIGUSR2 the worker goes on as it does, but consumes no more.
STALLING = f"""
import signal, sys
from celery.signals import worker_ready
from worker import __main__, heartbeat

heartbeat.EVERY = 0.3

@worker_ready.connect
def ready(sender, **_):
    signal.signal(signal.SIGUSR2, lambda *_: sender.call_soon(sender.cancel_task_queue, "{QUEUE}"))

__main__.main(sys.argv[1:])
"""


@pytest.fixture
def run(ledger: Ledger, broker: Broker, tmp_path) -> Iterator[Callable[[str], subprocess.Popen]]:
    (tmp_path / "registrar.yml").write_text(POLICY)
    environ = {
        "PATH": "/usr/bin:/bin",
        "REGISTRAR_CONFIG": str(tmp_path / "registrar.yml"),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "REGISTRAR_LEDGER_URL": str(ledger.engine.url),
        "REGISTRAR_BROKER_URL": broker.url,
        "REGISTRAR_SECRET_KEY": KEY,
        "CI": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    started = []

    def start(role: str) -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-c", STALLING, role], env=environ, stdout=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def known(ledger: Ledger) -> dict[str, Heartbeat]:
    with ledger.read() as connection:
        return {one.part: one for one in heartbeats.all_known(connection)}


def wait(ledger: Ledger, until: Callable[[dict[str, Heartbeat]], bool]) -> dict[str, Heartbeat]:
    for _ in range(600):
        if until(found := known(ledger)):
            return found
        time.sleep(0.1)
    raise AssertionError(f"never so: {found}")


def not_taken(found: dict[str, Heartbeat]) -> bool:
    """Beat rang a good while after the worker last took something."""
    return found["beat"].last_dispatched_at - found["worker"].last_dispatched_at > timedelta(seconds=1)


def test_a_worker_that_lives_and_consumes_nothing_is_told_from_one_that_works(ledger, broker, run):
    worker, beat = run("run"), run("beat")
    beats = wait(ledger, lambda found: len(found) == 2 and all(one.last_dispatched_at for one in found.values()))
    assert beats["worker"].instance.endswith(f":{worker.pid}")
    assert beats["beat"].instance.endswith(f":{beat.pid}")

    worker.send_signal(signal.SIGUSR2)
    stalled = wait(ledger, not_taken)["worker"]

    def beat_goes_on(found):
        return stalled.seen_at < found["beat"].last_dispatched_at < found["worker"].seen_at

    later = wait(ledger, beat_goes_on)["worker"]
    assert later.last_dispatched_at == stalled.last_dispatched_at
    assert worker.poll() is None

    worker.terminate()
    assert worker.wait(timeout=60) == 0
    wait(ledger, lambda found: list(found) == ["beat"])


def test_a_ledger_that_is_not_there_is_no_error(tmp_path, caplog):
    with WorkerHeartbeat(Ledger(f"sqlite:///{tmp_path}/no/folder/ledger.db"), "worker") as heartbeat:
        heartbeat.write()
    assert "the ledger takes no heartbeat" in caplog.text


def test_what_is_in_hand_is_counted(ledger):
    heartbeat = WorkerHeartbeat(ledger, "worker")
    heartbeat.started(sender="one")
    heartbeat.started(sender="another")
    heartbeat.finished(sender="one")
    heartbeat.write()
    assert known(ledger)["worker"].in_hand == 1

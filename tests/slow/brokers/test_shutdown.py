"""SIGTERM: a worker finishes what is in its hands, or hands it back. (The receiver: tests/webhooks/test_serve.py.)"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.tables import tasks
from tests.redis_server import Server
from tests.slow.brokers.conftest import Site, accepted, installation, until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path: Path, redis: Server) -> Iterator[Site]:
    """Without a worker of its own."""
    with installation(tmp_path / "site", f"redis://127.0.0.1:{redis.port}/0", supervised=False) as running:
        psutil.Process(running.stack.pid("worker")).kill()
        yield running


@contextmanager
def worker(site: Site, *command: str, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """log: where what it says goes; else to the test's own output."""
    environment = site.stack.environment | {"PYTHONPATH": str(ROOT)}
    with log.open("wb") if log else nullcontext() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, cwd=site.stack.folder.path, stdout=said, stderr=said
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def report(site: Site) -> tuple[str, int, int]:
    """state, attempts, crashes: of the one task that is slow."""
    ledger = Ledger(site.stack.addresses.ledger_url)
    with ledger.read() as connection:
        [row] = connection.execute(select(tasks).where(tasks.c.name == "worker.report")).all()
    ledger.close()
    return row.state, row.attempts, row.crashes


def stop_while_it_works(site: Site, process: subprocess.Popen[bytes]) -> None:
    until(lambda: report(site)[0] == "running")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_in_hand(site: Site):
    with worker(site, "tests.slow.brokers.slow_worker", "report", "2") as slow:
        accepted(site.post())
        stop_while_it_works(site, slow)
    assert report(site) == ("succeeded", 1, 0)


def test_what_takes_too_long_is_handed_to_another_worker_at_once_and_counts_no_crash(site: Site):
    with worker(site, "tests.slow.brokers.slow_worker", "report", "600") as hanging:
        status = accepted(site.post())
        stop_while_it_works(site, hanging)
        assert report(site) == ("queued", 1, 0)
        with worker(site, "worker", "run"):
            assert site.ended(status)["state"] == "succeeded"
    assert report(site) == ("succeeded", 2, 0)

"""Long downloads take half of a worker's threads, and never the last one."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from registrar.ledger import Ledger
from registrar.ledger.tables import tasks
from tests.redis_server import Server
from tests.slow.brokers.conftest import Site, accepted, installation, until
from tests.slow.brokers.test_shutdown import worker
from worker.downloads import CONCURRENCY, SLOTS

SECONDS = 8


@pytest.fixture
def site(tmp_path: Path, redis: Server) -> Iterator[Site]:
    """Without a worker of its own."""
    with installation(tmp_path / "site", f"redis://127.0.0.1:{redis.port}/0", supervised=False) as running:
        psutil.Process(running.stack.pid("worker")).kill()
        yield running


def begun(site: Site, *, running: bool) -> int:
    """Downloads: how many there are now, or were."""
    ledger = Ledger(site.stack.addresses.ledger_url)
    which = tasks.c.state == "running" if running else tasks.c.attempts > 0
    with ledger.read() as connection:
        query = select(func.count()).select_from(tasks).where(tasks.c.name == "worker.fetch", which)
        found = connection.execute(query).scalar_one()
    ledger.close()
    return found


def test_as_many_downloads_as_threads_keep_nothing_else_waiting(site: Site):
    with worker(site, "tests.slow.brokers.slow_worker", "fetch", str(SECONDS)):
        for number in range(CONCURRENCY + 2):
            accepted(site.post("artifacts.fetch", version=number + 1))
        until(lambda: begun(site, running=True) == SLOTS)
        began = time.monotonic()
        assert site.ended(accepted(site.post()))["state"] == "succeeded"
        assert time.monotonic() - began < SECONDS - 2
        assert begun(site, running=False) == SLOTS
        until(lambda: begun(site, running=False) > SLOTS)  # the next begins when one has ended, not when it is swept
        assert time.monotonic() - began < SECONDS + 4
        assert begun(site, running=True) <= SLOTS

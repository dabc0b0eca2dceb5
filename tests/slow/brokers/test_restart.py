"""Redis is killed while tasks are in hand, where Celery may end by a bug of its own: all recovers by itself."""

from pathlib import Path

import psutil
from sqlalchemy import select

from registrar.ledger import Ledger
from registrar.ledger.tables import tasks
from tests.links import Link
from tests.redis_server import Server
from tests.slow.brokers.conftest import Site, accepted, installation, until
from tests.slow.brokers.test_shutdown import worker
from worker.downloads import CONCURRENCY


def test_redis_killed_under_load_and_replaced_by_an_empty_one_loses_nothing(tmp_path: Path, redis: Server):
    url = f"redis://127.0.0.1:{redis.port}/0"
    with Link(1) as nowhere, installation(tmp_path / "site", url, mlflow=nowhere.url_of("http")) as site:
        nowhere.mode = "silent"
        accepted(site.post("model_version.describe", model="hangs", version=1, description="x"))
        posted = site.post_all(15)
        redis.kill()
        posted += [accepted(site.post()) for _ in range(3)]
        until(lambda: site.ready() == 503)
        redis.replace(tmp_path / "another")
        posted += site.post_all(5)
        assert site.states(posted) == {"succeeded"}
        nowhere.mode = "cut"  # nothing is left to hang when all stops


def test_redis_killed_while_all_threads_have_work_is_consumed_from_when_it_is_back(tmp_path: Path, redis: Server):
    """None of their messages can be acknowledged, and nobody waits for the next one: nothing else tells the worker that
    its link is gone.
    """
    url, log = f"redis://127.0.0.1:{redis.port}/0", tmp_path / "log"

    def nobody_listens_or_the_link_is_known_to_be_gone() -> bool:
        said = log.read_text()
        return said.count("Couldn't ack") == CONCURRENCY or "Connection to broker lost" in said

    with installation(tmp_path / "site", url, supervised=False) as site:
        psutil.Process(site.stack.pid("worker")).kill()
        with worker(site, "tests.slow.brokers.slow_worker", "notify", "1", log=log) as slow:
            posted = site.post_all(CONCURRENCY)
            until(lambda: notified(site) == ["running"] * CONCURRENCY)
            redis.kill()
            until(nobody_listens_or_the_link_is_known_to_be_gone)
            redis.replace(tmp_path / "another")
            posted += site.post_all(5)
            assert site.states(posted) == {"succeeded"}
            assert slow.poll() is None


def notified(site: Site) -> list[str]:
    """The states of the tasks that are slow."""
    ledger = Ledger(site.stack.addresses.ledger_url)
    with ledger.read() as connection:
        found = connection.execute(select(tasks.c.state).where(tasks.c.name == "worker.notify")).scalars().all()
    ledger.close()
    return list(found)

"""Redis is killed while tasks are in hand, where Celery may end by a bug of its own: all recovers by itself."""

from pathlib import Path

from tests.brokers.conftest import accepted, installation, until
from tests.links import Link
from tests.redis_server import Server


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

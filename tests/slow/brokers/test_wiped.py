"""A broker that lost all it had: the sweep notices, and rings again for whatever is not done."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery

from registrar.broker.celery_app import QUEUE, celery_app, publish
from registrar.ledger import Ledger
from tests.redis_server import Server
from tests.worker.harness import WorkerHarness
from worker.beat import SWEEP_SECONDS
from worker.context import WorkerContext
from worker.dispatcher import sweep

Wipe = Callable[[], object]


def waiting(app: Celery) -> int:
    """The messages in the broker."""
    with app.connection_for_write() as connection:
        queue = app.amqp.queues[QUEUE](connection.default_channel)
        return int(queue.queue_declare().message_count)


@pytest.fixture(params=["redis", "replaced", "rabbitmq"])
def wiped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Wipe]]:
    """A broker's URL, and what takes all from it."""
    if request.param == "rabbitmq":
        url = request.getfixturevalue("rabbitmq_url")
        app = celery_app(url)

        def purge() -> None:
            with app.connection_for_write() as connection:
                connection.default_channel.queue_purge(QUEUE)

        waiting(app)
        purge()
        yield url, purge
        purge()
        return
    server: Server = request.getfixturevalue("redis")
    url = f"redis://127.0.0.1:{server.port}/0"
    yield url, server.client.flushall if request.param == "redis" else lambda: server.replace(tmp_path / "another")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_in_two_sweep_periods_all_that_is_unfinished_is_rung(ledger: Ledger, tmp_path: Path, wiped: tuple[str, Wipe]):
    harness, clock, (url, wipe) = WorkerHarness(ledger, tmp_path), Clock(), wiped
    app = celery_app(url)
    harness.now = clock  # type: ignore[method-assign]
    harness.context = WorkerContext(**{**harness.context.__dict__, "app": app, "now": clock})
    for number in range(5):
        harness.accept("training_run.failed", model=f"m{number}")
    publish(app, harness.due())
    rung = []
    for _ in range(3):
        sweep(harness.context)
        rung.append(waiting(app))
        clock.time += timedelta(seconds=SWEEP_SECONDS)
        if len(rung) == 1:
            wipe()
            clock.time -= timedelta(seconds=SWEEP_SECONDS / 2)  # just before the first sweep after it
    # Nothing is rung twice while it is there; and right after a wipe a bell may be in a worker's hands.
    assert rung == [5, 0, 5]

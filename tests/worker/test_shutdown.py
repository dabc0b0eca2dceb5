"""A worker that stops: what it may still finish, and what it hands back."""

import threading

from sqlalchemy import select

from registrar.ledger.tables import tasks
from tests.worker.harness import WorkerHarness
from worker import shutdown
from worker.celery_tasks import release_task, run_task


def begin(harness: WorkerHarness) -> threading.Event:
    """Set when the process would end."""
    left = threading.Event()
    harness.context.shutdown.begin(lambda task: release_task(harness.context, task), left.set)
    return left


def first(harness: WorkerHarness, event: str) -> tuple[str, int, int]:
    with harness.ledger.read() as connection:
        row = connection.execute(select(tasks).where(tasks.c.event_id == event).order_by(tasks.c.seq)).first()
    return row.state, row.attempts, row.crashes


def test_while_there_is_time_a_task_is_finished(harness: WorkerHarness):
    harness.registry.trained("r1", rmse=9.0)
    event = harness.accept("training_run.finished", model="taxi", run_id="r1")
    begin(harness)
    harness.run(harness.due()[0])
    assert first(harness, event) == ("succeeded", 1, 0)


def test_after_that_a_task_is_handed_back_before_it_writes(harness: WorkerHarness, monkeypatch):
    monkeypatch.setattr(shutdown, "DRAIN", -1.0)
    harness.registry.trained("r1", rmse=9.0)
    event = harness.accept("training_run.finished", model="taxi", run_id="r1")
    begin(harness)
    harness.run(harness.due()[0])
    assert harness.registry.writes == []
    assert first(harness, event) == ("queued", 1, 0)


def test_what_hangs_is_handed_back_and_the_process_ends(harness: WorkerHarness, monkeypatch):
    monkeypatch.setattr(shutdown, "RELEASE_AFTER", 0.2)
    harness.registry.trained("r1", rmse=9.0)
    event = harness.accept("training_run.finished", model="taxi", run_id="r1")
    source_of, hangs, go_on = harness.registry.source_of, threading.Event(), threading.Event()

    def hanging(run, path):
        hangs.set()
        assert go_on.wait(30)
        return source_of(run, path)

    harness.registry.source_of = hanging
    thread = threading.Thread(target=run_task, args=(harness.context, harness.due()[0]))
    thread.start()
    assert hangs.wait(30)
    left = begin(harness)
    assert left.wait(30)
    assert first(harness, event) == ("queued", 1, 0)
    go_on.set()
    thread.join(30)
    assert harness.registry.writes == []
    assert first(harness, event) == ("queued", 1, 0)


def test_it_begins_once(harness: WorkerHarness, monkeypatch):
    monkeypatch.setattr(shutdown, "RELEASE_AFTER", 0.1)
    left = begin(harness)
    again = begin(harness)
    assert left.wait(30)
    assert not again.wait(0.3)

"""One worker does what follows of an event in its lane without a message; all else is published."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from registrar.broker.celery_app import TaskMessage, celery_app
from tests.broker import Broker
from tests.worker.harness import ADA, WorkerHarness
from worker import celery_tasks
from worker.celery_tasks import run_chain, run_task
from worker.registry.protocol import RetryableError
from worker.shutdown import Shutdown
from worker.task_events import task_events

FOLLOW = ["worker.request", "worker.transition", "worker.request"]  # register's


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were published."""
    names: list[str] = []
    monkeypatch.setattr(celery_tasks, "publish", lambda _, messages: names.extend(one.name for one in messages))
    return names


def first(harness: WorkerHarness, run: str = "r1") -> TaskMessage:
    harness.registry.trained(run, rmse=5.0)
    harness.accept("training_run.finished", model="taxi", run_id=run)
    return harness.due()[0]


def test_what_follows_of_the_event_is_done_here_and_the_rest_is_published(harness, published):
    run_chain(harness.context, first(harness))
    assert harness.promotions() == [(1, "Staging", "promoted"), (1, "Production", "awaiting_approval")]
    assert set(published) == {"worker.notify"}


def test_the_next_event_of_the_lane_is_published(harness, published):
    begun = first(harness)
    harness.registry.trained("r2", rmse=5.0)
    second = harness.accept("training_run.finished", model="taxi", run_id="r2")
    run_chain(harness.context, begun)
    assert [name for name in published if name != "worker.notify"] == ["worker.register"]
    assert harness.tasks_of(second) == [("register", "queued")]


def test_a_worker_that_stops_begins_nothing_more(harness, published):
    stopping = Shutdown()
    stopping.begin(lambda task: None, lambda: None)
    assert run_task(replace(harness.context, shutdown=stopping), first(harness)) is None
    assert published.count("worker.request") == 1


def test_where_a_worker_dies_between_two_tasks_another_finishes(harness):
    assert run_task(harness.context, first(harness)) is not None
    assert harness.promotions() == []
    harness.work()  # as the sweep finds them
    assert harness.promotions() == [(1, "Staging", "promoted"), (1, "Production", "awaiting_approval")]


def test_an_attempt_after_a_failed_one_reads_anew(harness):
    harness.registry.fail["set_stage"] = RetryableError("the line is cut")
    run_chain(harness.context, first(harness))
    assert harness.promotions() == [(1, "Staging", "approved")]
    harness.registry.trained("r1", rmse=9.0)
    harness.until_nothing_waits()
    assert harness.promotions() == [(1, "Staging", "superseded")]
    assert "a gate's result changed" in harness.fact("promotion.void")


def test_what_was_approved_is_read_anew_for_the_vote(harness):
    run_chain(harness.context, first(harness))
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"rewritten"}
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert (1, "Production", "promoted") not in harness.promotions()


def test_a_download_waits_for_its_slot(harness, published, monkeypatch):
    monkeypatch.setattr(celery_tasks, "LONG", frozenset({"worker.request"}))
    run_chain(harness.context, first(harness))
    assert "worker.request" in published


def test_each_task_is_seen_in_celerys_events(harness, broker: Broker):
    app = celery_app(broker.url)
    told: list[dict[str, Any]] = []
    over = threading.Event()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": told.append})
        listener = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=None, wakeup=False))
        listener.start()
        for number in range(30):  # what is sent before it listens, it never hears of
            with task_events(app, TaskMessage(f"tsk_{number}", "worker.request")):
                over.wait(1)
            if len(told) >= 3 and told[-1]["type"] == "task-succeeded":
                break
        receiver.should_stop = True
        listener.join(30)
    assert [event["type"] for event in told][-3:] == ["task-received", "task-started", "task-succeeded"]
    assert {event["uuid"] for event in told[-3:]} == {f"tsk_{number}"}
    assert told[-3]["name"] == "worker.request"


def test_without_the_broker_a_task_is_done_unseen(harness):
    with task_events(celery_app("redis://127.0.0.1:9/0", timeout=0.2, patient=False), TaskMessage("tsk_1", "worker.x")):
        pass

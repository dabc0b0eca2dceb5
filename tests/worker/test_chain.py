"""One worker does what follows of an event in its lane without a message; all else is published."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from registrar.broker.celery_app import celery_app
from registrar.broker.task_message import TaskMessage
from registrar.ledger.task_dispatch import sweep
from registrar.ledger.tasks import LEASE_SECONDS, Task
from tests.broker import Broker
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker import attempt, celery_tasks
from worker.celery_tasks import run_chain, run_claimed, run_task
from worker.context import WorkerContext
from worker.registry.entities import ModelSource
from worker.registry.protocol import RetryableError
from worker.registry.recent_reads import RecentReads
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
    claimed = run_task(harness.context, first(harness))
    harness.work()
    assert (claimed.name, harness.promotions()) == ("worker.request", [])  # it is not begun before its lease is over
    harness.jump(timedelta(seconds=LEASE_SECONDS + 1))
    with harness.ledger.write() as connection:
        sweep(connection, at=harness.now())
    harness.work()
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
    monkeypatch.setattr(attempt, "LONG", frozenset({"worker.request"}))
    run_chain(harness.context, first(harness))
    assert "worker.request" in published


def test_each_task_is_seen_in_celerys_events(harness, broker: Broker):
    app, claimed = celery_app(broker.url), run_task(harness.context, first(harness))
    told: list[dict[str, Any]] = []
    over = threading.Event()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": told.append})
        listener = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=None, wakeup=False))
        listener.start()
        for number in range(30):  # what is sent before it listens, it never hears of
            with task_events(app, replace(claimed, id=f"tsk_{number}")):
                over.wait(1)
            if len(told) >= 3 and told[-1]["type"] == "task-succeeded":
                break
        receiver.should_stop = True
        listener.join(30)
    assert [event["type"] for event in told][-3:] == ["task-received", "task-started", "task-succeeded"]
    assert {event["uuid"] for event in told[-3:]} == {f"tsk_{number}"}
    assert told[-3]["name"] == "worker.request"


def test_without_the_broker_a_task_is_done_unseen(harness):
    app = celery_app("redis://127.0.0.1:9/0", timeout=0.2, patient=False)
    with task_events(app, run_task(harness.context, first(harness))):
        pass


AUTOMATIC = POLICY.replace("approval: {rules: [{group: leads}]}", "approval: automatic")
ALIASES = AUTOMATIC.replace("  taxi:\n", "  taxi:\n    mode: aliases\n")


def meanwhile(monkeypatch: pytest.MonkeyPatch, name: str, nth: int, act: Callable[[], object]) -> None:
    """Do this right before the nth task of that name begins."""
    seen: list[str] = []

    def run(context: WorkerContext, task: Task, reads: RecentReads | None = None) -> Task | None:
        seen.append(task.name)
        if task.name == name and seen.count(name) == nth:
            act()
        return run_claimed(context, task, reads)

    monkeypatch.setattr(celery_tasks, "run_claimed", run)


def test_what_a_person_wrote_between_two_tasks_stays(harness, monkeypatch):
    harness.policy(ALIASES)
    by_hand = partial(harness.registry.set_description, "taxi", 1, "not in Berlin")
    meanwhile(monkeypatch, "worker.transition", 1, by_hand)
    run_chain(harness.context, first(harness))
    assert harness.registry.version("taxi", 1).description.startswith("not in Berlin\nversion 1 was transitioned")


def test_another_version_of_that_number_is_not_described(harness, monkeypatch):
    harness.policy(ALIASES)

    def made_anew() -> None:
        harness.registry.delete_model("taxi")
        harness.registry.born += timedelta(seconds=5)
        harness.registry.ensure_model("taxi")
        source = ModelSource("x")
        harness.registry.create_version("taxi", source, run_id="r2", description="Bob's own", tags={})

    meanwhile(monkeypatch, "worker.transition", 1, made_anew)
    run_chain(harness.context, first(harness))
    assert harness.registry.version("taxi", 1).description == "Bob's own"


def test_a_stage_that_a_person_set_between_two_tasks_counts(harness, monkeypatch):
    harness.policy(AUTOMATIC)
    meanwhile(monkeypatch, "worker.transition", 2, lambda: harness.registry.set_stage("taxi", 1, "Archived"))
    run_chain(harness.context, first(harness))
    assert harness.stages() == {1: "Archived"}
    assert "it is in Archived" in harness.fact("promotion.void")

"""What becomes of a task when its action can't do it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.broker.celery_app import celery_app
from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from registrar.ledger.tasks import FORMER_NAMES, MAX_CRASHES
from worker import celery_tasks, retry
from worker.attempt import UNEXPECTED_ATTEMPTS
from worker.registry.protocol import AmbiguousError, RetryableError

DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")


def row(harness, event: str):
    with harness.ledger.read() as connection:
        return connection.execute(select(tasks).where(tasks.c.event_id == event).order_by(tasks.c.seq)).first()


def make_due(harness, event: str, **values) -> None:
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(not_before=now(), **values))


def test_a_registry_that_is_down_is_waited_for(harness):
    harness.registry.trained("r1", rmse=9.0)
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    waiting = row(harness, event)
    assert (waiting.state, waiting.attempts, waiting.error) == ("queued", 1, str(DOWN))
    assert waiting.not_before > now() + timedelta(seconds=0.2)
    make_due(harness, event)
    harness.work()
    assert harness.stages() == {1: "None"}


def test_work_on_other_models_goes_on_meanwhile(harness):
    harness.registry.trained("r1")
    harness.registry.trained("r2")
    harness.registry.fail["run"] = DOWN
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("training_run.finished", model="bus", run_id="r2")
    assert list(harness.stages("bus")) == [1]


def test_after_the_budget_of_time_the_task_is_dead_and_told(harness):
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.fail["run"] = DOWN
    make_due(harness, event, started_at=now() - retry.RETRY_FOR - timedelta(seconds=1))
    harness.work()
    assert row(harness, event).state == "dead"
    assert "given up after 6:00:00" in harness.fact("task.dead")


def test_a_registry_that_breaks_on_it_every_time_holds_its_model_up_for_minutes_not_hours(harness):
    broken = AmbiguousError("creating version: the registry answered 500")
    harness.registry.fail["run"] = broken
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.fail["run"] = broken
    make_due(harness, event, attempts=retry.AMBIGUOUS_ATTEMPTS - 1)
    harness.work()
    assert row(harness, event).state == "dead"
    assert "given up after 10 attempts" in harness.fact("task.dead")


def test_a_task_that_kills_its_workers_is_not_begun_again_but_dead_and_told(harness):
    harness.registry.trained("r1")
    harness.registry.trained("r2", rmse=9.0)
    event = harness.accept("training_run.finished", model="taxi", run_id="r1")
    make_due(harness, event, crashes=MAX_CRASHES, attempts=MAX_CRASHES)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    assert (row(harness, event).state, row(harness, event).error) == (
        "dead",
        "its worker died 5 times while running it",
    )
    assert "its worker died 5 times" in harness.fact("task.dead")
    assert [version.run_id for version in harness.registry.versions("taxi")] == ["r2"]


def test_a_promotion_that_kills_its_workers_has_failed(harness):
    harness.registry.trained("r1", rmse=5.0)
    event = harness.accept("training_run.finished", model="taxi", run_id="r1")
    for _ in range(2):  # registered, and asked for
        harness.run(harness.due()[0])
    [moving] = [task_message for task_message in harness.due() if task_message.name == "worker.transition"]
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.id == moving.task_id).values(crashes=MAX_CRASHES))
    harness.work()
    assert harness.promotions() == [(1, "Staging", "failed")]
    assert harness.tasks_of(event)[-1] == ("transition", "dead")


def test_an_unforeseen_error_is_tried_again_and_then_dead(harness):
    harness.registry.trained("r1")
    for attempt in range(UNEXPECTED_ATTEMPTS):
        harness.registry.fail["run"] = ZeroDivisionError("secret detail")
        if attempt == 0:
            event = harness.post("training_run.finished", model="taxi", run_id="r1")
        else:
            make_due(harness, event)
            harness.work()
    dead = row(harness, event)
    assert (dead.state, dead.attempts) == ("dead", 5)
    assert dead.error == "unexpected ZeroDivisionError; the worker's log has the details"


def test_a_worker_that_lost_its_lease_writes_nothing_more(harness):
    harness.registry.trained("r1")
    event = harness.accept("training_run.finished", model="taxi", run_id="r1")
    source_of = harness.registry.source_of

    def slow(run, path):
        with harness.ledger.write() as connection:  # the sweep gave the task to another worker meanwhile
            connection.execute(update(tasks).where(tasks.c.event_id == event).values(lease="another's"))
        return source_of(run, path)

    harness.registry.source_of = slow
    harness.work()
    assert harness.registry.writes == []
    assert row(harness, event).state == "running"


@pytest.mark.parametrize(("attempts", "shortest", "longest"), [(1, 0.5, 1), (4, 4, 8), (30, 30, 60), (5000, 30, 60)])
def test_pauses_grow_and_end_at_a_minute(attempts, shortest, longest):
    assert all(shortest <= retry.pause(attempts) <= longest for _ in range(50))


def test_what_the_other_side_asks_for_is_waited_but_not_for_ever():
    assert retry.pause(1, 20) == 20
    assert retry.pause(1, 86400) == 60


def test_messages_of_former_names_are_taken_as_those_of_the_present(harness, monkeypatch):
    app, taken = celery_app("memory://"), []
    monkeypatch.setattr(celery_tasks, "run_task", lambda _, one, reads: taken.append((one.name, one.task_id)))
    celery_tasks.install(replace(harness.context, app=app))
    for former in FORMER_NAMES:
        app.tasks[former](former)
    assert taken == [(present, former) for former, present in FORMER_NAMES.items()]

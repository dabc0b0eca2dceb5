"""What becomes of a task when its action can't do it."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from registrar.ledger.tasks import MAX_CRASHES
from worker import celery_tasks as celery_side
from worker import retry
from worker.registry.protocol import AmbiguousError, RetryableError

DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")


def row(office, event: str):
    with office.ledger.read() as connection:
        return connection.execute(select(tasks).where(tasks.c.event_id == event).order_by(tasks.c.seq)).first()


def make_due(office, event: str, **values) -> None:
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(not_before=now(), **values))


def test_a_registry_that_is_down_is_waited_for(office):
    office.registry.trained("r1", rmse=9.0)
    office.registry.fail["run"] = DOWN
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    waiting = row(office, event)
    assert (waiting.state, waiting.attempts, waiting.error) == ("queued", 1, str(DOWN))
    assert waiting.not_before > now() + timedelta(seconds=0.2)
    make_due(office, event)
    office.work()
    assert office.stages() == {1: "None"}


def test_work_on_other_models_goes_on_meanwhile(office):
    office.registry.trained("r1")
    office.registry.trained("r2")
    office.registry.fail["run"] = DOWN
    office.post("training_run.finished", model="taxi", run_id="r1")
    office.post("training_run.finished", model="bus", run_id="r2")
    assert list(office.stages("bus")) == [1]


def test_after_the_budget_of_time_the_task_is_dead_and_told(office):
    office.registry.fail["run"] = DOWN
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    office.registry.fail["run"] = DOWN
    make_due(office, event, started_at=now() - retry.RETRY_FOR - timedelta(seconds=1))
    office.work()
    assert row(office, event).state == "dead"
    assert "given up after 6:00:00" in office.fact("task.dead")


def test_a_registry_that_breaks_on_it_every_time_holds_its_model_up_for_minutes_not_hours(office):
    broken = AmbiguousError("creating version: the registry answered 500")
    office.registry.fail["run"] = broken
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    office.registry.fail["run"] = broken
    make_due(office, event, attempts=retry.DOUBTFUL_ATTEMPTS - 1)
    office.work()
    assert row(office, event).state == "dead"
    assert "given up after 10 attempts" in office.fact("task.dead")


def test_a_task_that_kills_its_workers_is_not_begun_again_but_dead_and_told(office):
    office.registry.trained("r1")
    office.registry.trained("r2", rmse=9.0)
    event = office.accept("training_run.finished", model="taxi", run_id="r1")
    make_due(office, event, crashes=MAX_CRASHES, attempts=MAX_CRASHES)
    office.post("training_run.finished", model="taxi", run_id="r2")
    assert (row(office, event).state, row(office, event).error) == ("dead", "its worker died 5 times while running it")
    assert "its worker died 5 times" in office.fact("task.dead")
    assert [version.run_id for version in office.registry.versions("taxi")] == ["r2"]


def test_a_promotion_that_kills_its_workers_has_failed(office):
    office.registry.trained("r1", rmse=5.0)
    event = office.accept("training_run.finished", model="taxi", run_id="r1")
    for _ in range(2):  # registered, and asked for
        office.run(office.due()[0])
    [moving] = [task_message for task_message in office.due() if task_message.name == "worker.transition"]
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.id == moving.task_id).values(crashes=MAX_CRASHES))
    office.work()
    assert office.promotions() == [(1, "Staging", "failed")]
    assert office.tasks_of(event)[-1] == ("transition", "dead")


def test_an_unforeseen_error_is_tried_again_and_then_dead(office):
    office.registry.trained("r1")
    for attempt in range(celery_side.UNEXPECTED_ATTEMPTS):
        office.registry.fail["run"] = ZeroDivisionError("secret detail")
        if attempt == 0:
            event = office.post("training_run.finished", model="taxi", run_id="r1")
        else:
            make_due(office, event)
            office.work()
    dead = row(office, event)
    assert (dead.state, dead.attempts) == ("dead", 5)
    assert dead.error == "unexpected ZeroDivisionError; the worker's log has the details"


def test_a_worker_that_lost_its_lease_writes_nothing_more(office):
    office.registry.trained("r1")
    event = office.accept("training_run.finished", model="taxi", run_id="r1")
    source_of = office.registry.source_of

    def slow(run, path):
        with office.ledger.write() as connection:  # the sweep gave the task to another worker meanwhile
            connection.execute(update(tasks).where(tasks.c.event_id == event).values(lease="another's"))
        return source_of(run, path)

    office.registry.source_of = slow
    office.work()
    assert office.registry.writes == []
    assert row(office, event).state == "running"


@pytest.mark.parametrize(("attempts", "shortest", "longest"), [(1, 0.5, 1), (4, 4, 8), (30, 30, 60), (5000, 30, 60)])
def test_pauses_grow_and_end_at_a_minute(attempts, shortest, longest):
    assert all(shortest <= celery_side.pause(attempts) <= longest for _ in range(50))


def test_what_the_other_side_asks_for_is_waited_but_not_for_ever():
    assert celery_side.pause(1, 20) == 20
    assert celery_side.pause(1, 86400) == 60

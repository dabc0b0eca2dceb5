"""The ledger goes away while a task is at work: nothing is done twice, and no task dies of it."""

import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.broker.task_message import TaskMessage
from registrar.ledger import LedgerUnavailable
from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from registrar.ledger.tasks import LEASE_SECONDS, MAX_CRASHES
from registrar.ledger.unavailable import OUTAGE_SECONDS, Outages
from worker import celery_tasks, dispatcher, retry
from worker.attempt import UNEXPECTED_ATTEMPTS

DOWN = LedgerUnavailable("connection refused")


def row(harness, event: str):
    with harness.ledger.read() as connection:
        return connection.execute(select(tasks).where(tasks.c.event_id == event).order_by(tasks.c.seq)).first()


def expire(harness, event: str) -> None:
    with harness.ledger.write() as connection:
        running = {"state": "running", "lease": "somebody's", "lease_until": now() - timedelta(seconds=1)}
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(running))


@contextmanager
def locked(harness):
    """By another process's kind of connection, that goes on for longer than a writer waits."""
    with closing(sqlite3.connect(harness.ledger.engine.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_what_was_done_is_written_down_when_the_ledger_is_back_and_not_done_again(harness, monkeypatch, caplog):
    harness.registry.trained("r1", rmse=9.0)
    create_version = harness.registry.create_version
    gone, back = threading.Event(), threading.Event()

    def away() -> None:
        with locked(harness):
            gone.set()
            back.wait(60)

    def create(*given, **named):
        version = create_version(*given, **named)
        threading.Thread(target=away).start()
        gone.wait(60)
        return version

    def returns(pause: float) -> None:
        """After the first write in vain."""
        back.set()

    monkeypatch.setattr(retry, "sleep", returns)
    harness.registry.create_version = create
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    assert "the ledger is locked by another process" in caplog.text
    assert harness.stages() == {1: "None"}
    assert harness.registry.writes.count(("create_version", "taxi")) == 1
    done = row(harness, event)
    assert (done.state, done.attempts, done.crashes) == ("succeeded", 1, 0)


def test_a_ledger_that_goes_away_while_a_task_reads_it_is_never_what_the_task_dies_of(harness):
    harness.registry.trained("r1", rmse=9.0)
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    for _ in range(2 * UNEXPECTED_ATTEMPTS):
        harness.registry.fail["run"] = DOWN
        with harness.ledger.write() as connection:
            connection.execute(update(tasks).where(tasks.c.event_id == event).values(not_before=now()))
        harness.work()
    waiting = row(harness, event)
    assert (waiting.state, waiting.error) == ("queued", "the ledger does not answer")


def test_a_task_that_can_not_be_claimed_is_left_to_the_sweep(harness, caplog):
    event = harness.accept("training_run.failed", model="taxi")
    with locked(harness):
        celery_tasks.run_task(harness.context, TaskMessage(row(harness, event).id, "worker.report"))
    assert "not started, the sweep publishes it again: the ledger is locked by another process" in caplog.text
    assert row(harness, event).state == "queued"


def test_after_an_outage_whoever_lives_has_time_to_renew_its_lease(harness, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(harness.ledger, "outages", Outages(lambda: clock[0]))
    event = harness.accept("training_run.failed", model="taxi")
    for _ in range(MAX_CRASHES + 1):
        harness.ledger.outages.failed()
        clock[0] += OUTAGE_SECONDS + 60
        expire(harness, event)  # a write: the outage is over
        clock[0] += LEASE_SECONDS - 1
        dispatcher.sweep(harness.context)
        assert (row(harness, event).state, row(harness, event).crashes) == ("running", 0)
    clock[0] += 2
    dispatcher.sweep(harness.context)
    assert (row(harness, event).state, row(harness, event).crashes) == ("queued", 1)  # nobody did: it is dead


def test_a_lock_that_was_waited_for_in_vain_is_no_outage():
    clock = [0.0]
    outages = Outages(lambda: clock[0])
    for _ in range(100):
        outages.failed()
        clock[0] += OUTAGE_SECONDS - 1
        outages.succeeded()
    assert outages.over_for() == float("inf")


@pytest.mark.parametrize("tries", [1, 4])
def test_pauses_grow(monkeypatch, tries):
    slept: list[float] = []
    monkeypatch.setattr(retry, "sleep", slept.append)
    failures = [DOWN] * tries

    def write() -> str:
        if failures:
            raise failures.pop()
        return "written"

    assert retry.retry_while_unavailable(write) == "written"
    assert slept == [0.1, 0.2, 0.4, 0.8][:tries]


def test_after_half_an_hour_it_is_given_up(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(retry, "sleep", slept.append)

    def write() -> None:
        raise DOWN

    with pytest.raises(LedgerUnavailable):
        retry.retry_while_unavailable(write)
    assert retry.LEDGER_GIVE_UP_AFTER <= sum(slept) < retry.LEDGER_GIVE_UP_AFTER + retry.LEDGER_LONGEST_PAUSE

"""Gauges by the ledger: who waits for whom, what is stuck, who holds what, who is alive."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from registrar.events.outcome import Cause
from registrar.ledger import heartbeats
from registrar.ledger.heartbeats import Heartbeat
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.tables import holders
from tests.metrics.reading import away, scraped
from tests.worker.harness import ADA, POLICY, WorkerHarness
from webhooks import caches
from webhooks.caches import SingleFlightCache
from webhooks.monitoring.metrics.state_collector import StateCollector
from worker.registry.protocol import RetryableError

HOUR = 3600
GLOB = POLICY.replace("  taxi:\n", '  "ta*":\n').replace(
    "rules: [{group: leads}]", "rules: [{group: leads}, {group: risk}]"
)
GLOB = GLOB.replace("  leads: [ada, bob]", "  leads: [ada, bob]\n  risk: [eve]")


def state(harness: WorkerHarness) -> dict[str, dict[tuple[str, ...], float]]:
    return scraped(StateCollector(harness.ledger, harness.context.policy, harness.now))


def asked(harness: WorkerHarness) -> None:
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")


@pytest.mark.both_ledgers
def test_who_is_asked_and_for_how_long(harness):
    asked(harness)
    harness.later(hours=3)
    found = state(harness)
    assert found["registrar_approvals_pending"] == {("taxi", "Production", "leads"): 1}
    assert found["registrar_oldest_approval_age_seconds"]["taxi", "Production", "leads"] == pytest.approx(
        3 * HOUR, abs=60
    )
    assert found["registrar_open_promotions"] == {("taxi", "Production", "awaiting_approval"): 1}
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert "registrar_approvals_pending" not in state(harness)


def test_models_of_a_glob_are_one_and_each_group_is_named(ledger, tmp_path):
    harness = WorkerHarness(ledger, tmp_path, policy=GLOB)
    asked(harness)
    assert state(harness)["registrar_approvals_pending"] == {
        ("ta*", "Production", "leads"): 1,
        ("ta*", "Production", "risk"): 1,
    }


def test_what_waits_and_since_when(harness):
    harness.registry.trained("r1", rmse=5.0)
    for _ in range(3):
        harness.accept("training_run.finished", model="taxi", run_id="r1")
    harness._ahead += timedelta(minutes=10)
    found = state(harness)
    assert found["registrar_tasks"] == {("queued",): 3, ("running",): 0}
    assert found["registrar_tasks_due"] == {(): 3}
    assert found["registrar_oldest_due_task_age_seconds"][()] == pytest.approx(600, abs=30)
    harness.work()
    assert state(harness)["registrar_oldest_due_task_age_seconds"] == {(): 0}


def test_what_is_tried_again_is_counted(harness):
    harness.registry.fail["run"] = RetryableError("MLflow is down")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert state(harness)["registrar_tasks_retrying"] == {(): 1}


def test_dead_letters_by_task(harness):
    harness.post("training_run.finished", model="taxi", run_id="nowhere")
    harness.later(hours=1)
    found = state(harness)
    assert found["registrar_dead_letters"] == {("register", "failed"): 1}
    assert found["registrar_oldest_dead_letter_age_seconds"][()] == pytest.approx(HOUR, abs=60)


@pytest.mark.both_ledgers
def test_an_exclusive_target_has_one_holder_and_two_are_seen(harness):
    asked(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    harness.later(hours=2)
    found = state(harness)
    assert found["registrar_exclusive_holders"]["taxi", "Production"] == 1
    assert found["registrar_holder_age_seconds"]["taxi", "Production"] == pytest.approx(2 * HOUR, abs=60)
    event = harness.accept("training_run.failed", model="taxi")
    with harness.ledger.write() as connection:
        HoldingStarted("taxi", "stage", "Production", 2).apply(connection, Cause(event, "ada", "Ada", harness.now()))
    assert state(harness)["registrar_exclusive_holders"]["taxi", "Production"] == 2


def test_a_row_of_a_version_that_left_by_hand_is_no_second_holder(harness):
    """Ledgers of before a move closed such rows have some; nobody is to be woken by them."""
    asked(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    harness.registry.set_stage("taxi", 1, "Archived")
    harness.registry.trained("r2", rmse=4.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    stale = (holders.c.key == "Production", holders.c.version == 1)
    with harness.ledger.write() as connection:
        assert connection.execute(update(holders).where(*stale).values(until=None)).rowcount == 1
    assert state(harness)["registrar_exclusive_holders"]["taxi", "Production"] == 1


def test_what_processes_work_with_is_told(harness):
    at = harness.now()
    worker = Heartbeat("worker", "here:1", "1", at, at, keys="k", config="c", clock_ahead=0.5, mlflow="")
    others = [
        replace(worker, instance="here:2", started_at=at + timedelta(seconds=1), keys="x", clock_ahead=-60.0),
        replace(worker, part="receiver", clock_ahead=70.0, mlflow=None),
        replace(worker, part="beat", config=None, clock_ahead=None, mlflow=None),
        replace(worker, instance="here:3", seen_at=at - timedelta(minutes=2), clock_ahead=999.0),
    ]
    with harness.ledger.write() as connection:
        for one in (worker, *others):
            heartbeats.beat(connection, one)
    found = state(harness)
    assert found["registrar_processes"] == {("receiver",): 1, ("worker",): 2, ("beat",): 1}
    assert found["registrar_processes_silent"] == {("receiver",): 0, ("worker",): 1, ("beat",): 0}
    assert found["registrar_processes_mismatched"] == {("keys",): 1, ("config",): 0}
    assert found["registrar_clock_ahead_seconds"] == {("receiver",): 70, ("worker",): -60}
    assert found["registrar_mlflow_up"] == {(): 1}
    with harness.ledger.write() as connection:
        for one in (worker, others[0]):
            heartbeats.beat(connection, replace(one, mlflow="does not answer"))
    assert state(harness)["registrar_mlflow_up"] == {(): 0}
    assert found["registrar_ledger_disk_free_bytes"][()] > 0


def test_where_no_worker_asks_mlflow_nothing_is_said_of_it(harness):
    assert "registrar_mlflow_up" not in state(harness)


def test_a_part_that_nobody_hears_of_is_none(harness):
    assert state(harness)["registrar_processes"] == {("worker",): 0, ("beat",): 0}
    worker = Heartbeat("worker", "here:1", "1", harness.now(), harness.now(), in_hand=2)
    with harness.ledger.write() as connection:
        heartbeats.beat(connection, worker)
        heartbeats.beat(connection, replace(worker, instance="here:2"))
    found = state(harness)
    assert (found["registrar_processes"]["worker",], found["registrar_tasks_in_hand"][()]) == (2, 4)
    harness._ahead += timedelta(minutes=1)
    found = state(harness)
    assert (found["registrar_processes"]["worker",], found["registrar_tasks_in_hand"][()]) == (0, 0)
    assert found["registrar_heartbeat_age_seconds"]["worker",] == pytest.approx(60, abs=20)
    assert found["registrar_last_dispatch_age_seconds"]["worker",] == pytest.approx(60, abs=20)


def test_a_worker_whose_clock_is_ahead_is_seen(harness):
    with harness.ledger.write() as connection:
        heartbeats.beat(
            connection, Heartbeat("beat", "there:1", "1", harness.now(), harness.now() + timedelta(hours=1))
        )
    assert state(harness)["registrar_heartbeat_age_seconds"]["beat",] < -3500


def test_a_ledger_that_is_away_leaves_one_gauge(harness):
    collector = StateCollector(harness.ledger, harness.context.policy, harness.now)
    assert scraped(collector)["registrar_ledger_up"] == {(): 1}
    with away(harness.ledger):
        assert scraped(collector) == {"registrar_ledger_up": {(): 0}}
    assert "registrar_tasks" in scraped(collector)


def test_the_ledger_is_not_asked_again_at_once(monkeypatch):
    monkeypatch.setattr(caches, "FRESH", 3600)
    asked: list[int] = []
    look = SingleFlightCache(lambda: asked.append(1) or len(asked))
    assert [look(), look(), look()] == [1, 1, 1]

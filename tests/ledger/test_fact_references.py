"""Notification tasks refer to the fact in the outcome of the task that says it, unless that may change."""

import pytest
from sqlalchemy import select, update

from registrar.events.outcome import Fact
from registrar.events.states import TaskState
from registrar.ledger.fact_references import load_fact, reference
from registrar.ledger.tables import tasks
from tests.worker.harness import WorkerHarness


def args_of_notifications(harness: WorkerHarness) -> list[dict]:
    query = select(tasks.c.args).where(tasks.c.name == "worker.notify").order_by(tasks.c.seq)
    with harness.ledger.read() as connection:
        return list(connection.execute(query).scalars())


@pytest.mark.both_ledgers
def test_a_fact_of_a_task_that_succeeded_is_stored_once(ledger, tmp_path):
    harness = WorkerHarness(ledger, tmp_path)
    harness.registry.trained("r1", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    args = args_of_notifications(harness)
    kept = [sorted(each.keys() - {"promotion"}) for each in args]  # "promotion": of a card
    assert kept == [["channel", "fact_of", "nth"]] * len(args)
    assert [type_ for type_, _ in harness.facts()] == [
        "model_version.registered",
        "model_version.transitioned",
        "promotion.awaiting_approval",
    ]


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.DEAD, None])
def test_a_fact_of_a_task_that_may_end_otherwise_is_copied(state):
    fact = Fact("task.dead", "it failed", "taxi", 3)
    assert reference(fact, task_id="tsk_1", nth=0, state=state) == {"fact": fact.to_json()}


@pytest.mark.both_ledgers
def test_an_argument_of_an_earlier_release_is_read(ledger):
    fact = Fact("task.failed", "it failed", "taxi", 3, {"task": "tsk_1"}, ("team",))
    with ledger.read() as connection:
        assert load_fact(connection, {"channel": "log", "fact": fact.to_json()}).to_json()["text"] == "it failed"


@pytest.mark.both_ledgers
def test_an_outcome_that_is_gone_is_an_error(ledger, tmp_path):
    harness = WorkerHarness(ledger, tmp_path)
    harness.registry.trained("r1", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == TaskState.SUCCEEDED).values(outcome=None))
    with pytest.raises(LookupError), harness.ledger.read() as connection:
        load_fact(connection, args_of_notifications(harness)[0])

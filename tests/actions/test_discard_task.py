"""Work that failed for good may stay undone: then it is no open trouble any more, and the record says who said so."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from registrar.events.facts import traits
from registrar.ledger import dead_letters
from registrar.ledger.interventions import TaskDiscarded
from registrar.ledger.queries import event_status
from registrar.ledger.tables import journal, tasks
from tests.worker.harness import ADA, WorkerHarness
from worker.registry.protocol import PermanentError, RetryableError


def failed(harness: WorkerHarness) -> str:
    """A registration of a run that nobody trained."""
    return harness.post("training_run.finished", model="taxi", run_id="r1")


def letters(harness: WorkerHarness) -> list[dead_letters.DeadLetter]:
    with harness.ledger.read() as connection:
        return dead_letters.list_dead_letters(connection)


def drop(harness: WorkerHarness, task_id: str, **more: str) -> str:
    return harness.post("task.drop", by=ADA, task_id=task_id, **{"model": "taxi", "reason": "a typo", **more})


def shown(harness: WorkerHarness, event: str) -> dict:
    with harness.ledger.read() as connection:
        return event_status.event(connection, event) or {}


@pytest.mark.both_ledgers
def test_what_is_dropped_is_open_trouble_no_more_and_says_who_dropped_it(harness):
    event = failed(harness)
    [letter] = letters(harness)
    assert letter.state == "failed"
    asked = drop(harness, letter.id)
    assert letters(harness) == []
    now = shown(harness, event)
    assert (now["state"], now["tasks"][0]["state"]) == ("dropped", "dropped")
    assert now["tasks"][0]["error"] == "reading run r1: no such run"
    [settled] = now["tasks"][0]["settled"]
    assert (settled["type"], settled["event_id"], settled["actor_name"]) == ("task.drop", asked, "Ada")
    assert (settled["reason"], settled["was"]["state"]) == ("a typo", "failed")
    text = "register for training_run.finished about taxi by ci was dropped, by Ada: a typo"
    assert harness.fact("task.dropped") == text
    with harness.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "task.dropped")).all()
    assert (entry.event_id, entry.actor) == (asked, "ada")


@pytest.mark.parametrize("again", ["task.retry", "task.drop"])
def test_what_was_dropped_is_neither_tried_nor_dropped_again(harness, again):
    event = failed(harness)
    [letter] = letters(harness)
    drop(harness, letter.id)
    asked = harness.post(again, by=ADA, task_id=letter.id, model="taxi", reason="sorry")
    error = shown(harness, asked)["tasks"][0]["error"]
    assert error == f"{letter.id} was dropped; to do it nevertheless: registrar replay {event}"


@pytest.mark.both_ledgers
def test_what_is_about_no_model_is_named_without_one(harness):
    harness.registry.fail["download_run"] = PermanentError("reading run r1: permission denied")
    harness.post("artifacts.fetch", run_id="r1")
    [letter] = letters(harness)
    assert letter.model is None
    with_a_model = drop(harness, letter.id)
    assert "there is no task" in shown(harness, with_a_model)["tasks"][0]["error"]
    harness.post("task.drop", by=ADA, task_id=letter.id, reason="gone")
    assert letters(harness) == []


@pytest.mark.parametrize("reason", [{}, {"reason": ""}])
def test_a_drop_without_a_reason_is_none(harness, reason):
    with pytest.raises(ValidationError, match="reason"):
        harness.post("task.drop", task_id=f"tsk_{'0' * 32}", **reason)


# Work that waits for its turn.
DOWN = RetryableError("reading run r9: the registry does not answer (ConnectionError)")


def task_of(harness: WorkerHarness, event: str) -> str:
    return str(shown(harness, event)["tasks"][0]["id"])


def stuck(harness: WorkerHarness) -> str:
    """An event whose task waits for its next attempt."""
    harness.registry.trained("r9", rmse=5.0)
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r9")
    later = harness.now() + timedelta(seconds=100)  # not due while the test looks, however slow the machine is
    change(harness, task_of(harness, event), not_before=later)
    return event


def journaled(harness: WorkerHarness, kind: str) -> list:
    with harness.ledger.read() as connection:
        return list(connection.execute(select(journal).where(journal.c.kind == kind)).all())


@pytest.mark.both_ledgers
def test_what_waits_is_dropped_never_runs_and_its_lane_goes_on(harness):
    event = stuck(harness)
    behind = harness.accept("training_run.failed", model="taxi")
    asked = drop(harness, task_of(harness, event))
    assert harness.tasks_of(behind) == [("report", "succeeded")]
    harness.later(hours=7)
    assert harness.stages() == {}
    now = shown(harness, event)
    assert now["state"] == "dropped"
    [task] = now["tasks"]
    assert (task["state"], task["error"]) == ("dropped", "dropped while it waited, by Ada: a typo")
    [settled] = task["settled"]
    assert (settled["event_id"], settled["reason"], settled["was"]["error"]) == (asked, "a typo", str(DOWN))
    [entry] = journaled(harness, "task.dropped")
    assert (entry.event_id, entry.actor) == (asked, "ada")
    assert "was dropped while it waited, by Ada; what its attempts may have done" in harness.fact("task.dropped")


@pytest.mark.parametrize("again", ["task.retry", "task.drop"])
def test_it_stays_dropped(harness, again):
    event = stuck(harness)
    drop(harness, task_of(harness, event))
    asked = harness.post(again, by=ADA, task_id=task_of(harness, event), model="taxi", reason="sorry")
    assert "was dropped; to do it nevertheless: registrar replay" in shown(harness, asked)["tasks"][0]["error"]


@pytest.mark.both_ledgers
def test_a_promotion_that_it_was_to_bring_on_has_failed_with_it(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    approve = harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    [task_message] = harness.due()
    harness.run(task_message)
    move = shown(harness, approve)["tasks"][1]
    assert (move["name"], move["state"]) == ("worker.transition", "queued")
    harness.accept("task.drop", by=ADA, task_id=move["id"], model="taxi", reason="not today")
    [task_message] = [task_message for task_message in harness.due() if task_message.name == "worker.discard_task"]
    harness.run(task_message)
    harness.work()
    assert harness.promotions()[-1] == (1, "Production", "failed")
    assert harness.stages() == {1: "Staging"}
    [fact] = [fact for fact in harness.told_facts() if fact.type == "task.dropped"]
    assert fact.details["promotion"].startswith("prm_")
    assert traits("task.dropped").promotion == "ended"


def change(harness: WorkerHarness, task: str, **values: object) -> None:
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.id == task).values(**values))


def test_what_a_worker_is_at_can_not_be_dropped(harness):
    event = stuck(harness)
    task = task_of(harness, event)
    change(harness, task, state="running", lease="x", lease_until=harness.now() + timedelta(hours=1))
    asked = drop(harness, task)
    assert shown(harness, asked)["tasks"][0]["error"] == (
        f"{task} is running: a worker is at it right now. Drop it when it waits again, or has failed"
    )
    assert shown(harness, event)["state"] == "unfinished"


def test_nor_a_move_that_has_begun(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.refuse["set_alias"] = lambda *_: DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.stages() == {1: "Staging"}
    [task] = [task for task in shown(harness, event)["tasks"] if task["state"] == "queued"]
    asked = drop(harness, task["id"])
    assert "has begun to move a version in MLflow" in shown(harness, asked)["tasks"][0]["error"]
    harness.registry.refuse.clear()
    harness.until_nothing_waits()
    assert harness.holding()["@challenger"] == [1]


def test_who_drops_what_is_begun_in_this_moment_is_told_so(harness, monkeypatch):
    event = stuck(harness)
    task = task_of(harness, event)
    apply = TaskDiscarded.apply

    def late(self, connection, cause):
        connection.execute(update(tasks).where(tasks.c.id == task, tasks.c.state == "queued").values(state="running"))
        return apply(self, connection, cause)

    monkeypatch.setattr(TaskDiscarded, "apply", late)
    asked = drop(harness, task)
    assert shown(harness, asked)["tasks"][0]["error"] == f"{task} was begun in this moment"
    assert journaled(harness, "task.dropped") == []
    monkeypatch.undo()
    change(harness, task, not_before=harness.now())
    harness.until_nothing_waits()
    assert (harness.stages(), shown(harness, event)["state"]) == ({1: "Staging"}, "succeeded")
    assert shown(harness, asked)["tasks"][0]["error"] == f"{task} is done"


def test_whoever_asked_and_waits_for_the_answer_gets_one(harness):
    harness.accept("training_run.failed", model="taxi")
    approve = harness.accept("promotion.approve", by=ADA, reply_to="sealed", model="taxi", version=1)
    asked = harness.accept("task.drop", by=ADA, task_id=task_of(harness, approve), model="taxi", reason="late")
    [task_message] = [task_message for task_message in harness.due() if task_message.name == "worker.discard_task"]
    harness.run(task_message)
    with harness.ledger.read() as connection:
        reply = select(tasks).where(tasks.c.event_id == asked, tasks.c.name == "worker.reply")
        [row] = connection.execute(reply).all()
    assert (row.args["to"], row.args["source"], row.args["who"]) == ("sealed", "ci", "Ada")
    assert "was dropped while it waited, by Ada: late" in row.args["text"]

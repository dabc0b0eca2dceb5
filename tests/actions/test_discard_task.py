"""Work that failed for good may stay undone: then it is no open trouble any more, and the record says who said so."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update

from registrar.ledger import dead_letters
from registrar.ledger.queries import event_status
from registrar.ledger.queries.interventions import TaskDiscarded
from registrar.ledger.tables import journal, tasks
from tests.worker.harness import ADA, Office
from worker.notifications import fact_card
from worker.registry.protocol import PermanentError, RetryableError


def failed(office: Office) -> str:
    """A registration of a run that nobody trained."""
    return office.post("training_run.finished", model="taxi", run_id="r1")


def letters(office: Office) -> list[dead_letters.DeadLetter]:
    with office.ledger.read() as connection:
        return dead_letters.list_dead_letters(connection)


def drop(office: Office, task_id: str, **more: str) -> str:
    return office.post("task.drop", by=ADA, task_id=task_id, **{"model": "taxi", "reason": "a typo", **more})


def shown(office: Office, event: str) -> dict:
    with office.ledger.read() as connection:
        return event_status.event(connection, event) or {}


@pytest.mark.both_ledgers
def test_what_is_dropped_is_open_trouble_no_more_and_says_who_dropped_it(office):
    event = failed(office)
    [letter] = letters(office)
    assert letter.state == "failed"
    asked = drop(office, letter.id)
    assert letters(office) == []
    now = shown(office, event)
    assert (now["state"], now["tasks"][0]["state"]) == ("dropped", "dropped")
    assert now["tasks"][0]["error"] == "reading run r1: no such run"
    [settled] = now["tasks"][0]["settled"]
    assert (settled["type"], settled["event_id"], settled["actor_name"]) == ("task.drop", asked, "Ada")
    assert (settled["reason"], settled["was"]["state"]) == ("a typo", "failed")
    text = "register for training_run.finished about taxi by ci was dropped, by Ada: a typo"
    assert office.fact("task.dropped") == text
    with office.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "task.dropped")).all()
    assert (entry.event_id, entry.actor) == (asked, "ada")


@pytest.mark.parametrize("again", ["task.retry", "task.drop"])
def test_what_was_dropped_is_neither_tried_nor_dropped_again(office, again):
    event = failed(office)
    [letter] = letters(office)
    drop(office, letter.id)
    asked = office.post(again, by=ADA, task_id=letter.id, model="taxi", reason="sorry")
    error = shown(office, asked)["tasks"][0]["error"]
    assert error == f"{letter.id} was dropped; to do it nevertheless: registrar replay {event}"


@pytest.mark.both_ledgers
def test_what_is_about_no_model_is_named_without_one(office):
    office.registry.fail["download_run"] = PermanentError("reading run r1: permission denied")
    office.post("artifacts.fetch", run_id="r1")
    [letter] = letters(office)
    assert letter.model is None
    with_a_model = drop(office, letter.id)
    assert "there is no task" in shown(office, with_a_model)["tasks"][0]["error"]
    office.post("task.drop", by=ADA, task_id=letter.id, reason="gone")
    assert letters(office) == []


@pytest.mark.parametrize("reason", [{}, {"reason": ""}])
def test_a_drop_without_a_reason_is_none(office, reason):
    with pytest.raises(ValidationError, match="reason"):
        office.post("task.drop", task_id=f"tsk_{'0' * 32}", **reason)


# Work that waits for its turn.
DOWN = RetryableError("reading run r9: the registry does not answer (ConnectionError)")


def task_of(office: Office, event: str) -> str:
    return str(shown(office, event)["tasks"][0]["id"])


def stuck(office: Office) -> str:
    """An event whose task waits for its next attempt."""
    office.registry.trained("r9", rmse=5.0)
    office.registry.fail["run"] = DOWN
    event = office.post("training_run.finished", model="taxi", run_id="r9")
    later = office.now() + timedelta(seconds=100)  # not due while the test looks, however slow the machine is
    change(office, task_of(office, event), not_before=later)
    return event


def journaled(office: Office, kind: str) -> list:
    with office.ledger.read() as connection:
        return list(connection.execute(select(journal).where(journal.c.kind == kind)).all())


@pytest.mark.both_ledgers
def test_what_waits_is_dropped_never_runs_and_its_lane_goes_on(office):
    event = stuck(office)
    behind = office.accept("training_run.failed", model="taxi")
    asked = drop(office, task_of(office, event))
    assert office.tasks_of(behind) == [("report", "succeeded")]
    office.later(hours=7)
    assert office.stages() == {}
    now = shown(office, event)
    assert now["state"] == "dropped"
    [task] = now["tasks"]
    assert (task["state"], task["error"]) == ("dropped", "dropped while it waited, by Ada: a typo")
    [settled] = task["settled"]
    assert (settled["event_id"], settled["reason"], settled["was"]["error"]) == (asked, "a typo", str(DOWN))
    [entry] = journaled(office, "task.dropped")
    assert (entry.event_id, entry.actor) == (asked, "ada")
    assert "was dropped while it waited, by Ada; what its attempts may have done" in office.fact("task.dropped")


@pytest.mark.parametrize("again", ["task.retry", "task.drop"])
def test_it_stays_dropped(office, again):
    event = stuck(office)
    drop(office, task_of(office, event))
    asked = office.post(again, by=ADA, task_id=task_of(office, event), model="taxi", reason="sorry")
    assert "was dropped; to do it nevertheless: registrar replay" in shown(office, asked)["tasks"][0]["error"]


@pytest.mark.both_ledgers
def test_a_promotion_that_it_was_to_bring_on_has_failed_with_it(office):
    office.registry.trained("r1", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    approve = office.accept("promotion.approve", by=ADA, model="taxi", version=1)
    [task_message] = office.due()
    office.run(task_message)
    move = shown(office, approve)["tasks"][1]
    assert (move["name"], move["state"]) == ("worker.transition", "queued")
    office.accept("task.drop", by=ADA, task_id=move["id"], model="taxi", reason="not today")
    [task_message] = [task_message for task_message in office.due() if task_message.name == "worker.drop"]
    office.run(task_message)
    office.work()
    assert office.promotions()[-1] == (1, "Production", "failed")
    assert office.stages() == {1: "Staging"}
    with office.ledger.read() as connection:
        edited = select(tasks.c.args).where(tasks.c.name == "worker.notify")
        told = [row.args["fact"] for row in connection.execute(edited)]
    [fact] = [fact for fact in told if fact["type"] == "task.dropped"]
    assert fact["details"]["promotion"].startswith("prm_")
    assert "task.dropped" in fact_card.CLOSING


def change(office: Office, task: str, **values: object) -> None:
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.id == task).values(**values))


def test_what_a_worker_is_at_can_not_be_dropped(office):
    event = stuck(office)
    task = task_of(office, event)
    change(office, task, state="running", lease="x", lease_until=office.now() + timedelta(hours=1))
    asked = drop(office, task)
    assert shown(office, asked)["tasks"][0]["error"] == (
        f"{task} is running: a worker is at it right now. Drop it when it waits again, or has failed"
    )
    assert shown(office, event)["state"] == "unfinished"


def test_nor_a_move_that_has_begun(office):
    office.registry.trained("r1", rmse=5.0)
    office.registry.refuse["set_alias"] = lambda *_: DOWN
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.stages() == {1: "Staging"}
    [task] = [task for task in shown(office, event)["tasks"] if task["state"] == "queued"]
    asked = drop(office, task["id"])
    assert "has begun to move a version in MLflow" in shown(office, asked)["tasks"][0]["error"]
    office.registry.refuse.clear()
    office.until_nothing_waits()
    assert office.holding()["@challenger"] == [1]


def test_who_drops_what_is_begun_in_this_moment_is_told_so(office, monkeypatch):
    event = stuck(office)
    task = task_of(office, event)
    apply = TaskDiscarded.apply

    def late(self, connection, cause):
        connection.execute(update(tasks).where(tasks.c.id == task, tasks.c.state == "queued").values(state="running"))
        return apply(self, connection, cause)

    monkeypatch.setattr(TaskDiscarded, "apply", late)
    asked = drop(office, task)
    assert shown(office, asked)["tasks"][0]["error"] == f"{task} was begun in this moment"
    assert journaled(office, "task.dropped") == []
    monkeypatch.undo()
    change(office, task, not_before=office.now())
    office.until_nothing_waits()
    assert (office.stages(), shown(office, event)["state"]) == ({1: "Staging"}, "succeeded")
    assert shown(office, asked)["tasks"][0]["error"] == f"{task} is done"


def test_whoever_asked_and_waits_for_the_answer_gets_one(office):
    office.accept("training_run.failed", model="taxi")
    approve = office.accept("promotion.approve", by=ADA, reply_to="sealed", model="taxi", version=1)
    asked = office.accept("task.drop", by=ADA, task_id=task_of(office, approve), model="taxi", reason="late")
    [task_message] = [task_message for task_message in office.due() if task_message.name == "worker.drop"]
    office.run(task_message)
    with office.ledger.read() as connection:
        reply = select(tasks).where(tasks.c.event_id == asked, tasks.c.name == "worker.reply")
        [row] = connection.execute(reply).all()
    assert (row.args["to"], row.args["source"], row.args["who"]) == ("sealed", "ci", "Ada")
    assert "was dropped while it waited, by Ada: late" in row.args["text"]

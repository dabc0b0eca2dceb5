"""Work that failed for good is tried again where it was, once, by whoever may; and says so."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.ledger import dead_letters
from registrar.ledger.queries import event_status
from registrar.ledger.tables import journal, tasks
from tests.worker.harness import ADA, BOB, CI, POLICY, WorkerHarness
from worker.registry.protocol import PermanentError, RetryableError

DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")


def open_letters(harness: WorkerHarness) -> list[dead_letters.DeadLetter]:
    with harness.ledger.read() as connection:
        return dead_letters.list_dead_letters(connection)


def letter(harness: WorkerHarness) -> dead_letters.DeadLetter:
    [found] = open_letters(harness)
    return found


def shown(harness: WorkerHarness, event: str) -> dict:
    with harness.ledger.read() as connection:
        return event_status.event(connection, event) or {}


def died(harness: WorkerHarness, run: str = "r1") -> str:
    """A registration whose registry was down for longer than it is waited for."""
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id=run)
    harness.registry.fail["run"] = DOWN
    harness.later(hours=7)
    assert letter(harness).state == "dead"
    return event


def retry(harness: WorkerHarness, task_id: str, *, model: str | None = "taxi", by=ADA, **more: str) -> str:
    return harness.post("task.retry", by=by, task_id=task_id, **({"model": model} if model else {}), **more)


@pytest.mark.both_ledgers
def test_what_died_with_the_registry_is_tried_again_and_done_once(harness):
    harness.registry.trained("r1", rmse=5.0)
    event = died(harness)
    task = letter(harness)
    asked = retry(harness, task.id, reason="MLflow is back")
    assert harness.stages() == {1: "Staging"}
    assert open_letters(harness) == []
    assert shown(harness, event)["state"] == "succeeded"
    text = "register for training_run.finished about taxi by ci is tried again, by Ada: MLflow is back"
    assert harness.fact("task.retried") == text
    again = retry(harness, task.id)
    assert shown(harness, again)["tasks"][0]["error"] == f"{task.id} is done"
    assert harness.stages() == {1: "Staging"}
    [settled] = shown(harness, event)["tasks"][0]["settled"]
    assert (settled["type"], settled["event_id"], settled["actor"]) == ("task.retry", asked, "ada")
    assert (settled["reason"], settled["was"]["state"], settled["was"]["attempts"]) == ("MLflow is back", "dead", 2)
    assert settled["was"]["error"].startswith("given up after 6:00:00: reading run r1")


def test_the_journal_says_who_tried_it_again(harness):
    harness.registry.trained("r1", rmse=5.0)
    event = died(harness)
    asked = retry(harness, letter(harness).id)
    with harness.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "task.retried")).all()
    assert (entry.event_id, entry.actor, entry.model) == (asked, "ada", "taxi")
    assert event in entry.body


@pytest.mark.both_ledgers
def test_its_budget_is_fresh_and_it_knows_that_it_is_not_the_first_attempt(harness):
    died(harness)
    harness.registry.fail["run"] = DOWN
    retry(harness, letter(harness).id)
    assert open_letters(harness) == []
    with harness.ledger.read() as connection:
        found = connection.execute(select(tasks).where(tasks.c.name == "worker.register")).one()
    assert (found.state, found.attempts, found.crashes, found.error) == ("queued", 2, 0, str(DOWN))
    assert harness.now() - found.started_at < timedelta(minutes=1)


@pytest.mark.both_ledgers
def test_it_goes_before_what_was_accepted_after_it(harness):
    for run in ("r1", "r2", "r3"):
        harness.registry.trained(run, rmse=9.0)
    died(harness)
    task = letter(harness)
    asked = harness.accept("task.retry", by=ADA, task_id=task.id, model="taxi")
    harness.registry.fail["run"] = DOWN
    harness.post("training_run.finished", model="taxi", run_id="r2")
    assert shown(harness, asked)["state"] == "succeeded"
    harness.later(minutes=2)
    assert [v.run_id for v in reversed(harness.registry.versions("taxi"))] == ["r1", "r2"]


def test_a_retry_waits_for_nothing_in_its_models_lane(harness):
    harness.registry.trained("r1")
    died(harness)
    harness.registry.trained("r2")
    harness.registry.fail["run"] = DOWN
    harness.post("training_run.finished", model="taxi", run_id="r2")
    asked = retry(harness, letter(harness).id)
    assert shown(harness, asked)["state"] == "succeeded"


@pytest.mark.both_ledgers
def test_two_retries_of_one_task_are_one(harness):
    harness.registry.trained("r1", rmse=9.0)
    died(harness)
    task = letter(harness).id
    for _ in range(2):
        harness.accept("task.retry", by=ADA, task_id=task, model="taxi")
    harness.work()
    with harness.ledger.read() as connection:
        states = connection.execute(select(tasks.c.state).where(tasks.c.name == "worker.retry")).scalars().all()
        entries = connection.execute(select(journal).where(journal.c.kind == "task.retried")).all()
    assert sorted(states) == ["refused", "succeeded"]
    assert len(entries) == 1


@pytest.mark.parametrize("model", ["bus", None])
def test_a_task_of_another_model_does_not_exist_for_whoever_names_theirs(harness, model):
    died(harness)
    asked = retry(harness, letter(harness).id, model=model)
    assert shown(harness, asked)["tasks"][0]["error"].startswith(f"there is no task {letter(harness).id} about ")
    assert letter(harness).state == "dead"


def test_what_is_under_way_or_done_is_not_tried_again(harness, monkeypatch):
    monkeypatch.setattr("worker.attempt.pause", lambda *_: 60.0)  # seconds: it is not due again meanwhile
    harness.registry.trained("r1", rmse=9.0)
    harness.registry.fail["run"] = DOWN
    event = harness.post("training_run.finished", model="taxi", run_id="r1")
    task = shown(harness, event)["tasks"][0]["id"]
    waiting = retry(harness, task)
    assert shown(harness, waiting)["tasks"][0]["error"] == f"{task} is queued: it is being done"


def test_a_refused_retry_is_no_dead_letter_and_is_not_tried_again(harness):
    asked = retry(harness, f"tsk_{'0' * 32}")
    refused, *_ = shown(harness, asked)["tasks"]
    assert (refused["state"], open_letters(harness)) == ("refused", [])
    again = retry(harness, refused["id"])
    assert "is a task.retry that could not be done: send it again" in shown(harness, again)["tasks"][0]["error"]


def test_a_promotion_that_failed_with_its_task_is_asked_for_anew(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.fail["set_stage"] = PermanentError("no")
    harness.post("training_run.finished", model="taxi", run_id="r1")
    assert harness.promotions() == [(1, "Staging", "failed")]
    asked = retry(harness, letter(harness).id)
    error = shown(harness, asked)["tasks"][0]["error"]
    assert error.endswith("registrar send promotion.request model=taxi version=1 target=Staging")
    harness.post("promotion.request", model="taxi", version=1, target="Staging")
    assert harness.stages() == {1: "Staging"}


def trained(harness: WorkerHarness) -> None:
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")


def vote_that_died(harness: WorkerHarness) -> str:
    trained(harness)
    harness.registry.fail["run"] = DOWN
    event = harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    harness.registry.fail["run"] = DOWN
    harness.later(hours=7)
    return event


def test_a_vote_that_died_counts_as_its_voters_word_about_what_was_shown(harness):
    vote_that_died(harness)
    retry(harness, letter(harness).id, by=CI)
    assert harness.votes() == [("ada", "approve", True)]
    assert harness.stages() == {1: "Production"}


@pytest.mark.both_ledgers
def test_a_vote_that_died_is_none_on_what_was_asked_for_later(harness):
    vote_that_died(harness)
    task = letter(harness)
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", model="taxi", version=1, target="Production")
    asked = retry(harness, task.id)
    error = shown(harness, asked)["tasks"][0]["error"]
    assert error.endswith("was asked for after Ada said so; it takes a new promotion.approve")
    assert harness.votes() == []


@pytest.mark.parametrize("kind", ["approve", "cancel"])
def test_nor_where_the_request_came_between_the_retry_and_the_vote(harness, kind):
    """What is retried looks once more for itself."""
    trained(harness)
    said = harness.accept(f"promotion.{kind}", by=ADA, model="taxi", version=1)
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == said).values(state="dead"))
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", model="taxi", version=1, target="Production")
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == said).values(state="queued"))
    harness.work()
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")
    assert not any(counted for _, _, counted in harness.votes())


def test_a_notice_that_could_not_be_told_is_told_later(harness):
    harness.accept("training_run.failed", model="taxi", reason="out of memory")
    harness.run(harness.due()[0])
    harness.policy(POLICY[: POLICY.index("channels:")])
    harness.work()
    told = letter(harness)
    assert (told.verb, told.state) == ("notify", "failed")
    harness.policy(POLICY)
    retry(harness, told.id)
    assert open_letters(harness) == []
    assert harness.notices()[0] == ("succeeded", {"summary": f"log was told of {harness.facts()[0][0]}", "facts": []})

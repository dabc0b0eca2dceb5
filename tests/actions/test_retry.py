"""Work that failed for good is tried again where it was, once, by whoever may; and says so."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from registrar.ledger import dead_letters
from registrar.ledger.queries import event_status
from registrar.ledger.tables import journal, tasks
from tests.worker.harness import ADA, BOB, CI, POLICY, Office
from worker.registry.protocol import PermanentError, RetryableError

DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")


def open_letters(office: Office) -> list[dead_letters.DeadLetter]:
    with office.ledger.read() as connection:
        return dead_letters.list_dead_letters(connection)


def letter(office: Office) -> dead_letters.DeadLetter:
    [found] = open_letters(office)
    return found


def shown(office: Office, event: str) -> dict:
    with office.ledger.read() as connection:
        return event_status.event(connection, event) or {}


def died(office: Office, run: str = "r1") -> str:
    """A registration whose registry was down for longer than it is waited for."""
    office.registry.fail["run"] = DOWN
    event = office.post("training_run.finished", model="taxi", run_id=run)
    office.registry.fail["run"] = DOWN
    office.later(hours=7)
    assert letter(office).state == "dead"
    return event


def retry(office: Office, task_id: str, *, model: str | None = "taxi", by=ADA, **more: str) -> str:
    return office.post("task.retry", by=by, task_id=task_id, **({"model": model} if model else {}), **more)


@pytest.mark.both_ledgers
def test_what_died_with_the_registry_is_tried_again_and_done_once(office):
    office.registry.trained("r1", rmse=5.0)
    event = died(office)
    task = letter(office)
    asked = retry(office, task.id, reason="MLflow is back")
    assert office.stages() == {1: "Staging"}
    assert open_letters(office) == []
    assert shown(office, event)["state"] == "succeeded"
    text = "register for training_run.finished about taxi by ci is tried again, by Ada: MLflow is back"
    assert office.fact("task.retried") == text
    again = retry(office, task.id)
    assert shown(office, again)["tasks"][0]["error"] == f"{task.id} is done"
    assert office.stages() == {1: "Staging"}
    [settled] = shown(office, event)["tasks"][0]["settled"]
    assert (settled["type"], settled["event_id"], settled["actor"]) == ("task.retry", asked, "ada")
    assert (settled["reason"], settled["was"]["state"], settled["was"]["attempts"]) == ("MLflow is back", "dead", 2)
    assert settled["was"]["error"].startswith("given up after 6:00:00: reading run r1")


def test_the_journal_says_who_tried_it_again(office):
    office.registry.trained("r1", rmse=5.0)
    event = died(office)
    asked = retry(office, letter(office).id)
    with office.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "task.retried")).all()
    assert (entry.event_id, entry.actor, entry.model) == (asked, "ada", "taxi")
    assert event in entry.body


@pytest.mark.both_ledgers
def test_its_budget_is_fresh_and_it_knows_that_it_is_not_the_first_attempt(office):
    died(office)
    office.registry.fail["run"] = DOWN
    retry(office, letter(office).id)
    assert open_letters(office) == []
    with office.ledger.read() as connection:
        found = connection.execute(select(tasks).where(tasks.c.name == "worker.register")).one()
    assert (found.state, found.attempts, found.crashes, found.error) == ("queued", 2, 0, str(DOWN))
    assert office.now() - found.started_at < timedelta(minutes=1)


@pytest.mark.both_ledgers
def test_it_goes_before_what_was_accepted_after_it(office):
    for run in ("r1", "r2", "r3"):
        office.registry.trained(run, rmse=9.0)
    died(office)
    task = letter(office)
    asked = office.accept("task.retry", by=ADA, task_id=task.id, model="taxi")
    office.registry.fail["run"] = DOWN
    office.post("training_run.finished", model="taxi", run_id="r2")
    assert shown(office, asked)["state"] == "succeeded"
    office.later(minutes=2)
    assert [v.run_id for v in reversed(office.registry.versions("taxi"))] == ["r1", "r2"]


def test_a_retry_waits_for_nothing_in_its_models_lane(office):
    office.registry.trained("r1")
    died(office)
    office.registry.trained("r2")
    office.registry.fail["run"] = DOWN
    office.post("training_run.finished", model="taxi", run_id="r2")
    asked = retry(office, letter(office).id)
    assert shown(office, asked)["state"] == "succeeded"


@pytest.mark.both_ledgers
def test_two_retries_of_one_task_are_one(office):
    office.registry.trained("r1", rmse=9.0)
    died(office)
    task = letter(office).id
    for _ in range(2):
        office.accept("task.retry", by=ADA, task_id=task, model="taxi")
    office.work()
    with office.ledger.read() as connection:
        states = connection.execute(select(tasks.c.state).where(tasks.c.name == "worker.retry")).scalars().all()
        entries = connection.execute(select(journal).where(journal.c.kind == "task.retried")).all()
    assert sorted(states) == ["refused", "succeeded"]
    assert len(entries) == 1


@pytest.mark.parametrize("model", ["bus", None])
def test_a_task_of_another_model_does_not_exist_for_whoever_names_theirs(office, model):
    died(office)
    asked = retry(office, letter(office).id, model=model)
    assert shown(office, asked)["tasks"][0]["error"].startswith(f"there is no task {letter(office).id} about ")
    assert letter(office).state == "dead"


def test_what_is_under_way_or_done_is_not_tried_again(office, monkeypatch):
    monkeypatch.setattr("worker.celery_tasks.pause", lambda *_: 60.0)  # seconds: it is not due again meanwhile
    office.registry.trained("r1", rmse=9.0)
    office.registry.fail["run"] = DOWN
    event = office.post("training_run.finished", model="taxi", run_id="r1")
    task = shown(office, event)["tasks"][0]["id"]
    waiting = retry(office, task)
    assert shown(office, waiting)["tasks"][0]["error"] == f"{task} is queued: it is being done"


def test_a_refused_retry_is_no_dead_letter_and_is_not_tried_again(office):
    asked = retry(office, f"tsk_{'0' * 32}")
    refused, *_ = shown(office, asked)["tasks"]
    assert (refused["state"], open_letters(office)) == ("refused", [])
    again = retry(office, refused["id"])
    assert "is a task.retry that could not be done: send it again" in shown(office, again)["tasks"][0]["error"]


def test_a_promotion_that_failed_with_its_task_is_asked_for_anew(office):
    office.registry.trained("r1", rmse=5.0)
    office.registry.fail["set_stage"] = PermanentError("no")
    office.post("training_run.finished", model="taxi", run_id="r1")
    assert office.promotions() == [(1, "Staging", "failed")]
    asked = retry(office, letter(office).id)
    error = shown(office, asked)["tasks"][0]["error"]
    assert error.endswith("registrar send promotion.request model=taxi version=1 target=Staging")
    office.post("promotion.request", model="taxi", version=1, target="Staging")
    assert office.stages() == {1: "Staging"}


def trained(office: Office) -> None:
    office.registry.trained("r1", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r1")


def vote_that_died(office: Office) -> str:
    trained(office)
    office.registry.fail["run"] = DOWN
    event = office.post("promotion.approve", by=ADA, model="taxi", version=1)
    office.registry.fail["run"] = DOWN
    office.later(hours=7)
    return event


def test_a_vote_that_died_counts_as_its_voters_word_about_what_was_shown(office):
    vote_that_died(office)
    retry(office, letter(office).id, by=CI)
    assert office.votes() == [("ada", "approve", True)]
    assert office.stages() == {1: "Production"}


@pytest.mark.both_ledgers
def test_a_vote_that_died_is_none_on_what_was_asked_for_later(office):
    vote_that_died(office)
    task = letter(office)
    office.post("promotion.cancel", by=BOB, model="taxi", version=1)
    office.post("promotion.request", model="taxi", version=1, target="Production")
    asked = retry(office, task.id)
    error = shown(office, asked)["tasks"][0]["error"]
    assert error.endswith("was asked for after Ada said so; it takes a new promotion.approve")
    assert office.votes() == []


@pytest.mark.parametrize("kind", ["approve", "cancel"])
def test_nor_where_the_request_came_between_the_retry_and_the_vote(office, kind):
    """What is retried looks once more for itself."""
    trained(office)
    said = office.accept(f"promotion.{kind}", by=ADA, model="taxi", version=1)
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == said).values(state="dead"))
    office.post("promotion.cancel", by=BOB, model="taxi", version=1)
    office.post("promotion.request", model="taxi", version=1, target="Production")
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == said).values(state="queued"))
    office.work()
    assert office.promotions()[-1] == (1, "Production", "awaiting_approval")
    assert not any(counted for _, _, counted in office.votes())


def test_a_notice_that_could_not_be_told_is_told_later(office):
    office.accept("training_run.failed", model="taxi", reason="out of memory")
    office.run(office.due()[0])
    office.policy(POLICY[: POLICY.index("channels:")])
    office.work()
    told = letter(office)
    assert (told.verb, told.state) == ("notify", "failed")
    office.policy(POLICY)
    retry(office, told.id)
    assert open_letters(office) == []
    assert office.notices()[0] == ("succeeded", {"summary": f"log was told: {office.facts()[0][1]}", "facts": []})

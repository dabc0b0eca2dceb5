"""What was told once counts for its own time: sent or tried again later, it changes nothing that was told since."""

import pytest
from sqlalchemy import update

from registrar.ledger import dead_letters
from registrar.ledger.tables import tasks
from registrar.ledger.version_state import given_tags, states
from tests.actions.test_deploy import policy, report
from tests.actions.test_resend import MAY, became, shown
from tests.actions.versions import live
from tests.worker.harness import BOB, POLICY, WorkerHarness
from worker.registry.protocol import PermanentError, RetryableError

pytestmark = pytest.mark.both_ledgers
EVALUATED = POLICY.replace("{metric: rmse, op", "{metric: rmse, of: evaluation, op")


@pytest.fixture
def harness(harness):
    allow(harness, policy())
    return harness


def allow(harness: WorkerHarness, text: str) -> None:
    harness.policy(text.replace("sources:\n  ci: {kind: standard, secrets: [env:CI],", MAY.replace("GRANTED", '"*"')))


def replay(harness: WorkerHarness, event: str) -> str:
    return harness.post("event.replay", by=BOB, event_id=event, model="taxi")


def retry_all(harness: WorkerHarness) -> None:
    with harness.ledger.read() as connection:
        found = dead_letters.list_dead_letters(connection)
    for letter in found:
        harness.post("task.retry", by=BOB, task_id=letter.id, model="taxi")


def failed_once(harness: WorkerHarness) -> str:
    """Version 2 failed, went back, and is in Production again since."""
    live(harness, "r1", "r2")
    told = harness.post("deployment.failed", model="taxi", version=2, environment="prod")
    assert harness.holding()["Production"] == [1]
    report(harness, "succeeded", 1)
    harness.post("quarantine.lift", by=BOB, model="taxi", version=2, reason="the cluster was full")
    harness.post("model_version.transition", by=BOB, model="taxi", version=2, stage="None")
    for target in ("Staging", "Production"):
        harness.post("promotion.request", by=BOB, model="taxi", version=2, target=target)
    harness.post("promotion.approve", by=BOB, model="taxi", version=2)
    assert harness.holding()["Production"] == [2]
    return told


def test_a_failure_that_is_replayed_ends_no_later_deployment(harness):
    told = failed_once(harness)
    replay(harness, told)
    assert harness.holding()["Production"] == [2]
    report(harness, "succeeded", 2)
    assert "Production is live" in harness.fact("deployment.succeeded")


def test_a_replayed_failure_is_told_as_one_of_its_own_time(harness):
    replay(harness, failed_once(harness))
    assert harness.fact("deployment.failed") == (
        "the deployment of taxi version 2 to prod failed: told again of an earlier deployment, so nothing changes"
    )


def given_up(harness: WorkerHarness, type_: str, **data: object) -> None:
    """It was accepted, and whoever began it was killed until it was begun no more."""
    event = harness.accept(type_, **data)
    dead_now = {"state": "dead", "finished_at": harness.now()}
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(dead_now))


def test_a_failure_that_is_tried_again_ends_no_later_deployment(harness):
    live(harness, "r1", "r2")
    report(harness, "succeeded", 2)
    given_up(harness, "deployment.failed", model="taxi", version=1, environment="prod")
    harness.post("model.rollback", by=BOB, model="taxi", reason="wrong prices")
    assert harness.holding()["Production"] == [1]
    retry_all(harness)
    report(harness, "succeeded", 1)
    assert "Production is live" in harness.fact("deployment.succeeded")


def evaluated(harness: WorkerHarness, *runs: float) -> list[str]:
    harness.registry.trained("r1", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    told = []
    for number, rmse in enumerate(runs):
        harness.registry.evaluated(f"e{number}", 1, rmse=rmse)
        told.append(harness.post("evaluation_run.finished", model="taxi", version=1, run_id=f"e{number}"))
    return told


def test_an_evaluation_that_is_replayed_replaces_no_newer_one(harness):
    allow(harness, EVALUATED)
    good, _ = evaluated(harness, 5.0, 50.0)
    asked = replay(harness, good)
    again = shown(harness, became(harness, asked))["tasks"][0]["outcome"]["summary"]
    assert again == "taxi version 1 was evaluated by run e1 after this one, and that counts; nothing to do"
    harness.post("model_version.transition", by=BOB, model="taxi", version=1, stage="None")
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Staging")
    assert harness.stages() == {1: "None"}


def test_an_evaluation_that_is_tried_again_replaces_no_newer_one(harness):
    allow(harness, EVALUATED)
    evaluated(harness)
    harness.registry.evaluated("good", 1, rmse=5.0)
    harness.registry.evaluated("bad", 1, rmse=50.0)
    harness.registry.fail["run"] = RetryableError("reading run good: the registry does not answer (ConnectionError)")
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="good")
    harness.registry.fail["run"] = RetryableError("reading run good: the registry does not answer (ConnectionError)")
    harness.later(hours=7)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="bad")
    retry_all(harness)
    assert harness.stages() == {1: "None"}
    assert harness.fact("task.retried")


def test_the_newest_evaluation_that_is_replayed_counts_on(harness):
    allow(harness, EVALUATED)
    _, good = evaluated(harness, 50.0, 5.0)
    replay(harness, good)
    assert harness.stages() == {1: "Staging"}


def test_a_tag_that_died_does_not_take_the_place_of_what_its_source_said_since(harness):
    live(harness, "r1")
    harness.registry.refuse["set_tag"] = lambda *_: PermanentError("no")
    harness.post("model_version.describe", model="taxi", version=1, tags={"passed": "yes"})
    harness.registry.refuse.clear()
    harness.post("model_version.describe", model="taxi", version=1, tags={"passed": "no"})
    retry_all(harness)
    assert harness.registry.version("taxi", 1).tags["passed"] == "no"
    with harness.ledger.read() as connection:
        made = harness.registry.version("taxi", 1).created_at
        assert given_tags(states(connection, "taxi", version=1), 1, made)["passed"].value == "no"

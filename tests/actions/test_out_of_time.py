"""What was told once counts for its own time: sent or tried again later, it changes nothing that was told since."""

import pytest
from sqlalchemy import update

from registrar.ledger import dead_letters
from registrar.ledger.tables import tasks
from registrar.ledger.version_state import given_tags, states
from tests.actions.test_deploy import policy, promoted, report
from tests.actions.test_resend import MAY, became, shown
from tests.worker.harness import BOB, POLICY, Office
from worker.registry.protocol import PermanentError, RetryableError

pytestmark = pytest.mark.both_ledgers
EVALUATED = POLICY.replace("{metric: rmse, op", "{metric: rmse, of: evaluation, op")


@pytest.fixture
def office(office):
    allow(office, policy())
    return office


def allow(office: Office, text: str) -> None:
    office.policy(text.replace("sources:\n  ci: {kind: standard, secrets: [env:CI],", MAY.replace("GRANTED", '"*"')))


def replay(office: Office, event: str) -> str:
    return office.post("event.replay", by=BOB, event_id=event, model="taxi")


def retry_all(office: Office) -> None:
    with office.ledger.read() as connection:
        found = dead_letters.list_dead_letters(connection)
    for letter in found:
        office.post("task.retry", by=BOB, task_id=letter.id, model="taxi")


def failed_once(office: Office) -> str:
    """Version 2 failed, went back, and is in Production again since."""
    promoted(office, "r1", "r2")
    told = office.post("deployment.failed", model="taxi", version=2, environment="prod")
    assert office.holding()["Production"] == [1]
    report(office, "succeeded", 1)
    office.post("quarantine.lift", by=BOB, model="taxi", version=2, reason="the cluster was full")
    office.post("model_version.transition", by=BOB, model="taxi", version=2, stage="None")
    for target in ("Staging", "Production"):
        office.post("promotion.request", by=BOB, model="taxi", version=2, target=target)
    office.post("promotion.approve", by=BOB, model="taxi", version=2)
    assert office.holding()["Production"] == [2]
    return told


def test_a_failure_that_is_replayed_ends_no_later_deployment(office):
    told = failed_once(office)
    replay(office, told)
    assert office.holding()["Production"] == [2]
    report(office, "succeeded", 2)
    assert "Production is live" in office.fact("deployment.succeeded")


def test_a_replayed_failure_is_told_as_one_of_its_own_time(office):
    replay(office, failed_once(office))
    assert office.fact("deployment.failed") == (
        "the deployment of taxi version 2 to prod failed: told again of an earlier deployment, so nothing changes"
    )


def given_up(office: Office, type_: str, **data: object) -> None:
    """It was accepted, and whoever began it was killed until it was begun no more."""
    event = office.accept(type_, **data)
    dead_now = {"state": "dead", "finished_at": office.now()}
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(dead_now))


def test_a_failure_that_is_tried_again_ends_no_later_deployment(office):
    promoted(office, "r1", "r2")
    report(office, "succeeded", 2)
    given_up(office, "deployment.failed", model="taxi", version=1, environment="prod")
    office.post("model.rollback", by=BOB, model="taxi", reason="wrong prices")
    assert office.holding()["Production"] == [1]
    retry_all(office)
    report(office, "succeeded", 1)
    assert "Production is live" in office.fact("deployment.succeeded")


def evaluated(office: Office, *runs: float) -> list[str]:
    office.registry.trained("r1", rmse=6.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    told = []
    for number, rmse in enumerate(runs):
        office.registry.evaluated(f"e{number}", 1, rmse=rmse)
        told.append(office.post("evaluation_run.finished", model="taxi", version=1, run_id=f"e{number}"))
    return told


def test_an_evaluation_that_is_replayed_replaces_no_newer_one(office):
    allow(office, EVALUATED)
    good, _ = evaluated(office, 5.0, 50.0)
    asked = replay(office, good)
    again = shown(office, became(office, asked))["tasks"][0]["outcome"]["summary"]
    assert again == "taxi version 1 was evaluated by run e1 since this was told, which counts; nothing to do"
    office.post("model_version.transition", by=BOB, model="taxi", version=1, stage="None")
    office.post("promotion.request", by=BOB, model="taxi", version=1, target="Staging")
    assert office.stages() == {1: "None"}


def test_an_evaluation_that_is_tried_again_replaces_no_newer_one(office):
    allow(office, EVALUATED)
    evaluated(office)
    office.registry.evaluated("good", 1, rmse=5.0)
    office.registry.evaluated("bad", 1, rmse=50.0)
    office.registry.fail["run"] = RetryableError("reading run good: the registry does not answer (ConnectionError)")
    office.post("evaluation_run.finished", model="taxi", version=1, run_id="good")
    office.registry.fail["run"] = RetryableError("reading run good: the registry does not answer (ConnectionError)")
    office.later(hours=7)
    office.post("evaluation_run.finished", model="taxi", version=1, run_id="bad")
    retry_all(office)
    assert office.stages() == {1: "None"}
    assert office.fact("task.retried")


def test_the_newest_evaluation_that_is_replayed_counts_on(office):
    allow(office, EVALUATED)
    _, good = evaluated(office, 50.0, 5.0)
    replay(office, good)
    assert office.stages() == {1: "Staging"}


def test_a_tag_that_died_does_not_take_the_place_of_what_its_source_said_since(office):
    promoted(office, "r1")
    office.registry.refuse["set_tag"] = lambda *_: PermanentError("no")
    office.post("model_version.describe", model="taxi", version=1, tags={"passed": "yes"})
    office.registry.refuse.clear()
    office.post("model_version.describe", model="taxi", version=1, tags={"passed": "no"})
    retry_all(office)
    assert office.registry.version("taxi", 1).tags["passed"] == "no"
    with office.ledger.read() as connection:
        made = office.registry.version("taxi", 1).created_at
        assert given_tags(states(connection, "taxi", version=1), 1, made)["passed"].value == "no"

"""Back to what really held the stage before; and what was rolled back goes nowhere again."""

import json

import pytest
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.journal.stream import entries
from registrar.ledger.tables import tasks
from tests.policies import model
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
FILES = {"MLmodel": b"flavors: {}\n"}


def promoted(harness, *runs: str) -> None:
    """Each run's version goes to Production, one after the other."""
    for number, run in enumerate(runs, start=1):
        harness.registry.files[f"models/taxi/{number}"] = dict(FILES)
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
        harness.post("promotion.approve", by=ADA, model="taxi", version=number)


def rollback(harness, by=ADA, **data) -> str:
    return harness.post("model.rollback", by=by, model="taxi", reason="wrong fares", **data)


def test_the_version_before_takes_the_stage_and_its_alias_back(harness):
    promoted(harness, "r1", "r2")
    rollback(harness)
    assert harness.stages() == {1: "Production", 2: "Archived"}
    assert harness.registry.version("taxi", 1).aliases == ("champion",)
    assert harness.holding() == {"Production": [1], "@champion": [1], "Archived": [2]}
    assert harness.fact("model.rolled_back") == (
        "taxi was rolled back in Production from version 2 to version 1, by Ada: wrong fares"
    )


def test_what_was_rolled_back_goes_nowhere_again(harness):
    promoted(harness, "r1", "r2")
    rollback(harness)
    assert "wrong fares (rolled back on 20" in harness.registry.version("taxi", 2).tags["registrar.quarantined"]
    harness.post("model_version.transition", model="taxi", version=2, stage="None")
    for target in ("Staging", "Production"):
        harness.post("promotion.request", by=ADA, model="taxi", version=2, target=target)
        assert "it is quarantined: wrong fares" in harness.fact("model_version.held_back")
    harness.post("training_run.finished", model="taxi", run_id="r2")
    assert harness.stages() == {1: "Production", 2: "None"}


def test_an_approval_that_was_asked_for_before_does_not_count_after(harness):
    promoted(harness, "r1", "r2")
    harness.registry.trained("r3", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r3")
    harness.registry.set_tag("taxi", 3, "registrar.quarantined", "by hand")
    harness.post("promotion.approve", by=ADA, model="taxi", version=3)
    assert "can't be approved: it is quarantined: by hand" in harness.fact("promotion.vote_refused")


def test_an_unguarded_stage_is_closed_to_it_too(harness):
    harness.policy(POLICY.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval', "approval"))
    promoted(harness, "r1", "r2")
    rollback(harness)
    event = harness.post("model_version.transition", model="taxi", version=2, stage="Staging")
    assert harness.tasks_of(event) == [("transition", "refused")]
    assert "may not go to Staging: it is quarantined" in harness.fact("task.refused")


def test_two_rollbacks_go_back_two_versions(harness):
    promoted(harness, "r1", "r2", "r3")
    rollback(harness)
    rollback(harness)
    assert harness.holding()["Production"] == [1]


def accept(harness, by=ADA) -> str:
    return harness.accept("model.rollback", by=by, model="taxi", reason="wrong fares")


def free(harness, version: int) -> bool:
    return "registrar.quarantined" not in harness.registry.version("taxi", version).tags


def test_what_came_after_it_was_asked_for_is_not_what_was_called_bad(harness):
    """Version 2 is bad, and version 3 is approved in the same moment."""
    promoted(harness, "r1", "r2")
    harness.registry.trained("r3", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r3")
    harness.accept("promotion.approve", by=BOB, model="taxi", version=3)
    accept(harness)
    harness.work()
    assert harness.holding()["Production"] == [3]
    assert free(harness, 3)
    said = "version 3 of taxi came to Production after Ada asked to go back, when version 2 held it"
    assert said in harness.fact("task.refused")


def test_two_who_go_back_at_once_go_back_once(harness):
    promoted(harness, "r1", "r2", "r3")
    accept(harness)
    accept(harness, BOB)
    harness.work()
    assert harness.holding()["Production"] == [2]
    assert free(harness, 2)
    assert "came to Production after Bob asked to go back" in harness.fact("task.refused")


def test_with_another_put_there_by_hand_nobody_is_quarantined(harness):
    promoted(harness, "r1", "r2")
    harness.registry.trained("r3", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r3")
    harness.registry.set_stage("taxi", 3, "Production")
    rollback(harness)
    assert "MLflow shows version 3 of taxi in Production, and the record version 2" in harness.fact("task.refused")
    assert harness.stages() == {1: "Archived", 2: "Production", 3: "Production"}
    assert free(harness, 2)


def test_nor_where_an_alias_was_moved_by_hand(harness):
    harness.policy(model("mode: aliases"))
    promoted(harness, "r1", "r2", "r3")
    harness.registry.set_alias("taxi", "champion", 1)
    rollback(harness)
    assert "MLflow shows version 1 of taxi in Production, and the record version 3" in harness.fact("task.refused")
    assert free(harness, 3)


def test_one_that_was_taken_away_by_hand_may_be_gone_back_from(harness):
    promoted(harness, "r1", "r2")
    harness.registry.set_stage("taxi", 2, "None")
    rollback(harness)
    assert harness.stages() == {1: "Production", 2: "None"}
    assert not free(harness, 2)


def test_a_rollback_of_which_nobody_noted_what_it_meant_does_nothing(harness):
    promoted(harness, "r1", "r2")
    event = accept(harness)
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(args={}))
    harness.work()
    assert "did not note what held Production then" in harness.fact("task.refused")
    assert harness.holding()["Production"] == [2]


def test_a_version_that_is_gone_or_empty_is_passed_over(harness):
    promoted(harness, "r1", "r2", "r3", "r4")
    del harness.registry._models["taxi"][3]
    harness.registry.files["models/taxi/2"] = {}
    rollback(harness)
    assert harness.holding()["Production"] == [1]


def test_with_nothing_to_go_back_to_nothing_is_touched(harness):
    promoted(harness, "r1")
    rollback(harness)
    assert "has no earlier version in Production to go back to from version 1" in harness.fact("task.refused")
    assert harness.stages() == {1: "Production"}
    assert "registrar.quarantined" not in harness.registry.version("taxi", 1).tags


def test_before_anything_held_the_stage_there_is_nothing_to_go_back_from(harness):
    rollback(harness)
    assert "the record has no version of taxi in Production" in harness.fact("task.refused")


@pytest.mark.parametrize("who", [EVE, CI])
def test_who_could_not_have_approved_may_not_roll_back(harness, who):
    promoted(harness, "r1", "r2")
    rollback(harness, by=who)
    assert "may not roll taxi back in Production; these may: leads: Ada, Bob" in harness.fact("task.refused")
    assert harness.stages() == {1: "Archived", 2: "Production"}


def again(harness) -> None:
    """What waits for its next attempt has waited."""
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    harness.work()


def test_broken_off_before_any_write_it_comes_to_the_same_version(harness):
    """The record changes at the end alone, so that a second try does not go back a second time."""
    promoted(harness, "r1", "r2", "r3")
    for call in ("set_tag", "set_stage", "set_alias", "set_description"):
        harness.registry.fail[call] = RetryableError("the line is cut")
    rollback(harness)
    for _ in range(5):
        again(harness)
    assert harness.registry.fail == {}
    assert harness.holding()["Production"] == [2]
    assert harness.stages() == {1: "Archived", 2: "Production", 3: "Archived"}


def lift(harness, number: int, by=ADA) -> str:
    return harness.post("quarantine.lift", by=by, model="taxi", version=number, reason="it was the fares")


def test_a_quarantine_stays_though_its_tag_is_taken_away_in_mlflow(harness):
    promoted(harness, "r1", "r2")
    rollback(harness)
    harness.registry.drop_tag("taxi", 2, "registrar.quarantined")
    harness.post("model_version.transition", model="taxi", version=2, stage="None")
    harness.post("promotion.request", by=ADA, model="taxi", version=2, target="Staging")
    assert "it is quarantined: wrong fares" in harness.fact("model_version.held_back")
    assert harness.stages()[2] == "None"


def test_a_quarantine_is_lifted_by_who_may_approve_and_the_journal_says_so(harness):
    promoted(harness, "r1", "r2")
    rollback(harness)
    harness.post("model_version.transition", model="taxi", version=2, stage="None")
    for who in (EVE, CI):
        lift(harness, 2, by=who)
        assert "may not lift a quarantine of taxi; these may: leads: Ada, Bob" in harness.fact("task.refused")
    lift(harness, 2)
    assert "registrar.quarantined" not in harness.registry.version("taxi", 2).tags
    assert harness.fact("quarantine.lifted") == "the quarantine of taxi version 2 was lifted by Ada: it was the fares"
    harness.post("promotion.request", by=ADA, model="taxi", version=2, target="Staging")
    assert harness.stages()[2] == "Staging"
    with harness.ledger.read() as connection:
        said = [(entry["actor"], json.loads(entry["body"])["said"]) for entry in entries(connection)]
    states = [(actor, one["value"] is None) for actor, one in said if one.get("key") == "registrar.quarantined"]
    assert states == [("ada", False), ("ada", True)]


def test_a_tag_set_by_hand_holds_a_version_until_it_is_lifted(harness):
    promoted(harness, "r1")
    harness.registry.set_tag("taxi", 1, "registrar.quarantined", "by hand")
    harness.post("model_version.transition", by=ADA, model="taxi", version=1, stage="None")
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    assert "it is quarantined: by hand" in harness.fact("model_version.held_back")
    lift(harness, 1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    assert harness.stages() == {1: "Staging"}


def test_a_version_of_a_model_made_anew_is_not_the_one_that_was_quarantined(harness):
    promoted(harness, "r1", "r2")
    rollback(harness)
    harness.registry.drop_tag("taxi", 2, "registrar.quarantined")
    harness.registry._change("taxi", 2, stage="None", created_at=now())
    harness.post("promotion.request", by=ADA, model="taxi", version=2, target="Staging")
    assert harness.stages()[2] == "Staging"


def test_what_is_not_quarantined_is_not_lifted(harness):
    promoted(harness, "r1")
    event = lift(harness, 1)
    assert harness.tasks_of(event) == [("lift_quarantine", "succeeded")]
    assert "quarantine.lifted" not in [kind for kind, _ in harness.facts()]

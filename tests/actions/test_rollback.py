"""Back to what really held the stage before; and what was rolled back goes nowhere again."""

import json

import pytest
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.journal.append import entries
from registrar.ledger.tables import tasks
from tests.policies import model
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
FILES = {"MLmodel": b"flavors: {}\n"}


def promoted(office, *runs: str) -> None:
    """Each run's version goes to Production, one after the other."""
    for number, run in enumerate(runs, start=1):
        office.registry.files[f"models/taxi/{number}"] = dict(FILES)
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
        office.post("promotion.approve", by=ADA, model="taxi", version=number)


def rollback(office, by=ADA, **data) -> str:
    return office.post("model.rollback", by=by, model="taxi", reason="wrong fares", **data)


def test_the_version_before_takes_the_stage_and_its_alias_back(office):
    promoted(office, "r1", "r2")
    rollback(office)
    assert office.stages() == {1: "Production", 2: "Archived"}
    assert office.registry.version("taxi", 1).aliases == ("champion",)
    assert office.holding() == {"Production": [1], "@champion": [1], "Archived": [2]}
    assert office.fact("model.rolled_back") == (
        "taxi was rolled back in Production from version 2 to version 1, by Ada: wrong fares"
    )


def test_what_was_rolled_back_goes_nowhere_again(office):
    promoted(office, "r1", "r2")
    rollback(office)
    assert "wrong fares (rolled back on 20" in office.registry.version("taxi", 2).tags["registrar.quarantined"]
    office.post("model_version.transition", model="taxi", version=2, stage="None")
    for target in ("Staging", "Production"):
        office.post("promotion.request", by=ADA, model="taxi", version=2, target=target)
        assert "it is quarantined: wrong fares" in office.fact("model_version.held_back")
    office.post("training_run.finished", model="taxi", run_id="r2")
    assert office.stages() == {1: "Production", 2: "None"}


def test_an_approval_that_was_asked_for_before_does_not_count_after(office):
    promoted(office, "r1", "r2")
    office.registry.trained("r3", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r3")
    office.registry.set_tag("taxi", 3, "registrar.quarantined", "by hand")
    office.post("promotion.approve", by=ADA, model="taxi", version=3)
    assert "can't be approved: it is quarantined: by hand" in office.fact("promotion.vote_refused")


def test_an_unguarded_stage_is_closed_to_it_too(office):
    office.policy(POLICY.replace('gates: [{metric: rmse, op: "<", threshold: 7}], approval', "approval"))
    promoted(office, "r1", "r2")
    rollback(office)
    event = office.post("model_version.transition", model="taxi", version=2, stage="Staging")
    assert office.tasks_of(event) == [("transition", "refused")]
    assert "may not go to Staging: it is quarantined" in office.fact("task.refused")


def test_two_rollbacks_go_back_two_versions(office):
    promoted(office, "r1", "r2", "r3")
    rollback(office)
    rollback(office)
    assert office.holding()["Production"] == [1]


def accept(office, by=ADA) -> str:
    return office.accept("model.rollback", by=by, model="taxi", reason="wrong fares")


def free(office, version: int) -> bool:
    return "registrar.quarantined" not in office.registry.version("taxi", version).tags


def test_what_came_after_it_was_asked_for_is_not_what_was_called_bad(office):
    """Version 2 is bad, and version 3 is approved in the same moment."""
    promoted(office, "r1", "r2")
    office.registry.trained("r3", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r3")
    office.accept("promotion.approve", by=BOB, model="taxi", version=3)
    accept(office)
    office.work()
    assert office.holding()["Production"] == [3]
    assert free(office, 3)
    said = "version 3 of taxi came to Production after Ada asked to go back, when version 2 held it"
    assert said in office.fact("task.refused")


def test_two_who_go_back_at_once_go_back_once(office):
    promoted(office, "r1", "r2", "r3")
    accept(office)
    accept(office, BOB)
    office.work()
    assert office.holding()["Production"] == [2]
    assert free(office, 2)
    assert "came to Production after Bob asked to go back" in office.fact("task.refused")


def test_with_another_put_there_by_hand_nobody_is_quarantined(office):
    promoted(office, "r1", "r2")
    office.registry.trained("r3", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r3")
    office.registry.set_stage("taxi", 3, "Production")
    rollback(office)
    assert "MLflow shows version 3 of taxi in Production, and the record version 2" in office.fact("task.refused")
    assert office.stages() == {1: "Archived", 2: "Production", 3: "Production"}
    assert free(office, 2)


def test_nor_where_an_alias_was_moved_by_hand(office):
    office.policy(model("mode: aliases"))
    promoted(office, "r1", "r2", "r3")
    office.registry.set_alias("taxi", "champion", 1)
    rollback(office)
    assert "MLflow shows version 1 of taxi in Production, and the record version 3" in office.fact("task.refused")
    assert free(office, 3)


def test_one_that_was_taken_away_by_hand_may_be_gone_back_from(office):
    promoted(office, "r1", "r2")
    office.registry.set_stage("taxi", 2, "None")
    rollback(office)
    assert office.stages() == {1: "Production", 2: "None"}
    assert not free(office, 2)


def test_a_rollback_of_which_nobody_noted_what_it_meant_does_nothing(office):
    promoted(office, "r1", "r2")
    event = accept(office)
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(args={}))
    office.work()
    assert "did not note what held Production then" in office.fact("task.refused")
    assert office.holding()["Production"] == [2]


def test_a_version_that_is_gone_or_empty_is_passed_over(office):
    promoted(office, "r1", "r2", "r3", "r4")
    del office.registry._models["taxi"][3]
    office.registry.files["models/taxi/2"] = {}
    rollback(office)
    assert office.holding()["Production"] == [1]


def test_with_nothing_to_go_back_to_nothing_is_touched(office):
    promoted(office, "r1")
    rollback(office)
    assert "has no earlier version in Production to go back to from version 1" in office.fact("task.refused")
    assert office.stages() == {1: "Production"}
    assert "registrar.quarantined" not in office.registry.version("taxi", 1).tags


def test_before_anything_held_the_stage_there_is_nothing_to_go_back_from(office):
    rollback(office)
    assert "the record has no version of taxi in Production" in office.fact("task.refused")


@pytest.mark.parametrize("who", [EVE, CI])
def test_who_could_not_have_approved_may_not_roll_back(office, who):
    promoted(office, "r1", "r2")
    rollback(office, by=who)
    assert "may not roll taxi back in Production; these may: leads: Ada, Bob" in office.fact("task.refused")
    assert office.stages() == {1: "Archived", 2: "Production"}


def again(office) -> None:
    """What waits for its next attempt has waited."""
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.state == "queued").values(not_before=now()))
    office.work()


def test_broken_off_before_any_write_it_comes_to_the_same_version(office):
    """The record changes at the end alone, so that a second try does not go back a second time."""
    promoted(office, "r1", "r2", "r3")
    for call in ("set_tag", "set_stage", "set_alias", "set_description"):
        office.registry.fail[call] = RetryableError("the line is cut")
    rollback(office)
    for _ in range(5):
        again(office)
    assert office.registry.fail == {}
    assert office.holding()["Production"] == [2]
    assert office.stages() == {1: "Archived", 2: "Production", 3: "Archived"}


def lift(office, number: int, by=ADA) -> str:
    return office.post("quarantine.lift", by=by, model="taxi", version=number, reason="it was the fares")


def test_a_quarantine_stays_though_its_tag_is_taken_away_in_mlflow(office):
    promoted(office, "r1", "r2")
    rollback(office)
    office.registry.drop_tag("taxi", 2, "registrar.quarantined")
    office.post("model_version.transition", model="taxi", version=2, stage="None")
    office.post("promotion.request", by=ADA, model="taxi", version=2, target="Staging")
    assert "it is quarantined: wrong fares" in office.fact("model_version.held_back")
    assert office.stages()[2] == "None"


def test_a_quarantine_is_lifted_by_who_may_approve_and_the_journal_says_so(office):
    promoted(office, "r1", "r2")
    rollback(office)
    office.post("model_version.transition", model="taxi", version=2, stage="None")
    for who in (EVE, CI):
        lift(office, 2, by=who)
        assert "may not lift a quarantine of taxi; these may: leads: Ada, Bob" in office.fact("task.refused")
    lift(office, 2)
    assert "registrar.quarantined" not in office.registry.version("taxi", 2).tags
    assert office.fact("quarantine.lifted") == "the quarantine of taxi version 2 was lifted by Ada: it was the fares"
    office.post("promotion.request", by=ADA, model="taxi", version=2, target="Staging")
    assert office.stages()[2] == "Staging"
    with office.ledger.read() as connection:
        said = [(entry["actor"], json.loads(entry["body"])["said"]) for entry in entries(connection)]
    states = [(actor, one["value"] is None) for actor, one in said if one.get("key") == "registrar.quarantined"]
    assert states == [("ada", False), ("ada", True)]


def test_a_tag_set_by_hand_holds_a_version_until_it_is_lifted(office):
    promoted(office, "r1")
    office.registry.set_tag("taxi", 1, "registrar.quarantined", "by hand")
    office.post("model_version.transition", by=ADA, model="taxi", version=1, stage="None")
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    assert "it is quarantined: by hand" in office.fact("model_version.held_back")
    lift(office, 1)
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    assert office.stages() == {1: "Staging"}


def test_a_version_of_a_model_made_anew_is_not_the_one_that_was_quarantined(office):
    promoted(office, "r1", "r2")
    rollback(office)
    office.registry.drop_tag("taxi", 2, "registrar.quarantined")
    office.registry._change("taxi", 2, stage="None", created_at=now())
    office.post("promotion.request", by=ADA, model="taxi", version=2, target="Staging")
    assert office.stages()[2] == "Staging"


def test_what_is_not_quarantined_is_not_lifted(office):
    promoted(office, "r1")
    event = lift(office, 1)
    assert office.tasks_of(event) == [("lift_quarantine", "succeeded")]
    assert "quarantine.lifted" not in [kind for kind, _ in office.facts()]

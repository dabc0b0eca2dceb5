"""From a registered version to Production: request, vote, transition, archive."""

import pytest
from sqlalchemy import update

from registrar.ledger.tables import promotions, tasks
from tests.worker.office import ADA, BOB, EVE, POLICY

pytestmark = pytest.mark.both_ledgers


def train(office, run: str = "r1", rmse: float = 5.0) -> None:
    office.registry.trained(run, rmse=rmse)
    office.post("training_run.finished", model="taxi", run_id=run, commit="c0ffee")


def approve(office, version: int = 1, by=ADA, **given) -> str:
    return office.post("promotion.approve", by=by, model="taxi", version=version, **given)


def test_a_version_that_passes_its_gates_goes_to_staging_and_waits_for_approval(office):
    train(office)
    assert office.holding() == {"Staging": [1], "@challenger": [1]}
    assert office.registry.version("taxi", 1).aliases == ("challenger",)
    assert office.promotions() == [(1, "Staging", "promoted"), (1, "Production", "awaiting_approval")]
    assert "waits for approval to go to Production: 1 of Ada, Bob (leads)" in office.fact("promotion.awaiting_approval")


def test_a_version_that_fails_a_gate_is_held_back_with_the_reason_on_it(office):
    train(office, rmse=9.1)
    assert office.stages() == {1: "None"}
    assert office.registry.version("taxi", 1).tags["registrar.held_back.Staging"] == "rmse 9.1 is not < 7"
    assert office.fact("model_version.held_back") == "taxi version 1 was held back from Staging: rmse 9.1 is not < 7"


def test_an_approval_puts_it_in_production_and_says_by_whom(office):
    train(office)
    approve(office)
    assert office.holding() == {"Production": [1], "@champion": [1]}
    found = office.registry.version("taxi", 1)
    assert found.aliases == ("champion",)
    assert "version 1 was transitioned to Production on 20" in found.description
    assert found.description.endswith("by Ada")
    assert office.promotions()[-1] == (1, "Production", "promoted")


def test_the_previous_holder_is_archived_and_history_says_so(office):
    for number, run in enumerate(("r1", "r2"), start=1):
        train(office, run)
        approve(office, number)
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert office.holding() == {"Production": [2], "@champion": [2], "Archived": [1]}
    assert office.fact("model_version.archived") == "taxi version 1 was archived by Ada: version 2 took Production"
    assert "version 1 was transitioned to Archived on 20" in office.registry.version("taxi", 1).description


def test_a_vote_of_somebody_not_permitted_is_refused_recorded_and_answered(office):
    train(office)
    reply_to = office.bench.seal.close({"kind": "slack", "url": "http://127.0.0.1:9/"})
    event = approve(office, by=EVE, reply_to=reply_to)
    assert office.stages() == {1: "Staging"}
    assert office.votes() == [("eve", "approve", False)]
    assert "Eve may not approve taxi version 1 to Production; these may: leads: Ada, Bob" in office.fact(
        "promotion.vote_refused"
    )
    assert ("reply", "queued") in office.tasks_of(event)


def test_a_vote_on_what_nobody_asked_for_says_so(office):
    train(office, rmse=9.0)
    approve(office)
    assert "nobody asked for taxi version 1 to Production" in office.fact("promotion.vote_refused")


def test_a_second_approval_after_the_promotion_changes_nothing(office):
    train(office)
    approve(office)
    approve(office, by=BOB)
    assert "is promoted already by ada" in office.fact("promotion.vote_refused").lower()
    assert office.holding() == {"Production": [1], "@champion": [1]}


def test_a_rejection_ends_the_promotion_with_its_reason(office):
    train(office)
    office.post("promotion.reject", by=BOB, model="taxi", version=1, reason="drift")
    assert office.promotions()[-1] == (1, "Production", "rejected")
    approve(office)
    assert office.stages() == {1: "Staging"}
    assert "is rejected already by Bob (drift)" in office.fact("promotion.vote_refused")


def test_two_approvals_are_needed_where_the_policy_says_two(office):
    office.policy(POLICY.replace("{group: leads}", "{group: leads, required_approvals: 2}"))
    train(office)
    approve(office)
    assert office.stages() == {1: "Staging"}
    assert "still needed: 1 more of leads" in office.fact("promotion.vote_counted")
    approve(office)
    assert "Ada approved taxi version 1 to Production already" in office.fact("promotion.vote_refused")
    approve(office, by=BOB)
    assert office.stages() == {1: "Production"}


def test_an_approval_is_void_when_the_policy_changed_since_it_was_asked_for(office):
    train(office)
    office.policy(
        POLICY.replace("approval: {rules", 'gates: [{metric: rmse, op: "<", threshold: 6}], approval: {rules')
    )
    approve(office)
    assert office.stages() == {1: "Staging"}
    assert "the policy and a gate's result changed" in office.fact("promotion.void")
    assert office.promotions()[1:] == [(1, "Production", "superseded"), (1, "Production", "awaiting_approval")]
    approve(office)
    assert office.stages() == {1: "Production"}


def test_an_approval_is_void_when_the_metrics_changed_since(office):
    office.policy(
        POLICY.replace("approval: {rules", 'gates: [{metric: rmse, op: "<", threshold: 6}], approval: {rules')
    )
    train(office)
    office.registry.trained("r1", rmse=5.5)
    approve(office)
    assert office.stages() == {1: "Staging"}
    assert "a gate's result changed" in office.fact("promotion.void")


def test_a_newer_candidate_supersedes_the_older_request(office):
    train(office, "r1")
    train(office, "r2")
    approve(office, 1)
    assert "is superseded already (version 2 came after it)" in office.fact("promotion.vote_refused")


def test_a_transition_to_a_guarded_stage_goes_through_its_policy(office):
    train(office, rmse=9.0)
    office.post("model_version.transition", model="taxi", version=1, stage="production")
    assert office.stages() == {1: "None"}
    assert "it is in None, and Production is reached from Staging" in office.fact("model_version.held_back")


def test_a_demotion_takes_the_alias_away(office):
    train(office)
    approve(office)
    office.post("model_version.transition", model="taxi", version=1, stage="None")
    assert office.stages() == {1: "None"}
    assert office.registry.model("taxi").aliases == {}
    assert office.holding() == {}


def test_a_version_is_archived_on_request(office):
    train(office)
    office.post("model_version.archive", model="taxi", version=1)
    assert office.holding() == {"Archived": [1]}


def test_a_holder_set_by_hand_is_archived_too_when_another_takes_the_stage(office):
    train(office, "r1")
    train(office, "r2", rmse=8)
    office.registry.before_write = lambda: None
    office.registry.set_stage("taxi", 2, "Production")
    approve(office, 1)
    assert office.stages() == {1: "Production", 2: "Archived"}


def test_an_unknown_version_fails_and_is_told(office):
    train(office)
    office.post("model_version.transition", model="taxi", version=99, stage="Archived")
    assert "no such version" in office.fact("task.failed")


def test_doing_a_transition_again_after_a_crash_writes_nothing_twice(office):
    train(office)
    description = office.registry.version("taxi", 1).description
    event = office.accept("promotion.approve", by=ADA, model="taxi", version=1)
    office.work()
    writes = list(office.registry.writes)
    with office.ledger.write() as connection:  # as if the worker had died after MLflow's last commit and before ours
        moved = (tasks.c.event_id == event) & (tasks.c.name == "worker.transition")
        connection.execute(update(tasks).where(moved).values(state="queued"))
        connection.execute(update(promotions).where(promotions.c.target == "Production").values(state="approved"))
    office.work()
    assert office.registry.writes == writes
    assert office.registry.version("taxi", 1).description.count("Production") == 1
    assert description in office.registry.version("taxi", 1).description


def test_an_ungoverned_model_is_moved_by_whoever_is_granted_it(office):
    office.registry.trained("r1")
    office.post("training_run.finished", model="free", run_id="r1")
    assert office.stages("free") == {1: "None"}
    office.post("model_version.transition", model="free", version=1, stage="Production")
    assert office.stages("free") == {1: "Production"}

"""Every way into a target asks the same: `from`, gates, quarantine; a transition too, and who goes back to Staging."""

import pytest

from tests.actions.versions import live, trained
from tests.policies import model, production
from tests.worker.harness import ADA, POLICY

pytestmark = pytest.mark.both_ledgers
# Staging has a gate, Production asks for nothing.
FREE = POLICY.replace("approval: {rules: [{group: leads}]}", "request: on_request, approval: automatic")


def move(harness, number: int, stage: str) -> list[tuple[str, str]]:
    return harness.tasks_of(harness.post("model_version.transition", model="taxi", version=number, stage=stage))


def test_what_a_gate_held_back_is_not_moved_past_it(harness):
    harness.policy(FREE)
    held_back = trained(harness, "r1", rmse=99.0)
    assert move(harness, held_back, "Production") == [("transition", "refused")]
    assert harness.fact("task.refused").endswith(
        "taxi version 1 may not go to Production: it is in None, and Production is reached from Staging"
    )
    assert harness.stages() == {1: "None"}


def test_a_move_to_a_guarded_stage_of_a_version_that_is_not_there_is_refused_and_no_dead_letter(harness):
    assert move(harness, 99, "Staging") == [("transition", "succeeded"), ("request", "refused")]
    assert harness.fact("task.refused").endswith("was refused: MLflow has no registered model 'taxi'")


def test_nor_from_where_the_policy_names_no_way(harness):
    harness.policy(production("from: [Staging, Archived]", FREE))
    trained(harness, "r1")
    assert move(harness, 1, "Archived") == [("transition", "succeeded")]
    assert move(harness, 1, "Production") == [("transition", "succeeded")]
    harness.policy(FREE)
    move(harness, 1, "Archived")
    assert move(harness, 1, "Production") == [("transition", "refused")]
    assert harness.stages() == {1: "Archived"}


def test_by_aliases_alone_the_way_goes_by_them(harness):
    harness.policy(model("mode: aliases", FREE))
    trained(harness, "r1", rmse=99.0)
    assert move(harness, 1, "Production") == [("transition", "refused")]
    assert dict(harness.registry.model("taxi").aliases) == {}


def test_what_a_hand_put_past_a_gate_is_not_made_whole_by_a_command(harness):
    harness.policy(FREE)
    trained(harness, "r1", rmse=99.0)
    harness.registry.set_stage("taxi", 1, "Production")
    assert move(harness, 1, "Production") == [("transition", "refused")]
    assert harness.fact("task.refused").endswith("taxi version 1 may not go to Production: rmse 99 is not < 7")
    assert dict(harness.registry.model("taxi").aliases) == {}


def test_what_went_the_way_goes_on(harness):
    harness.policy(FREE)
    trained(harness, "r1")
    assert move(harness, 1, "Production") == [("transition", "succeeded")]
    harness.registry.trained("r1", rmse=99.0)  # what is there by the policy is not asked again
    assert move(harness, 1, "Production") == [("transition", "succeeded")]
    assert harness.stages() == {1: "Production"}


def test_a_stage_that_nothing_governs_asks_for_nothing(harness):
    harness.policy(FREE)
    trained(harness, "r1", rmse=99.0)
    assert move(harness, 1, "Archived") == [("transition", "succeeded")]


# Whoever is replaced, where the policy sends it back to Staging.
BACK = production("on_replace: staging")


def test_what_is_rolled_back_does_not_go_back_to_staging(harness):
    harness.policy(BACK)
    live(harness, "r1", "r2")
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    assert harness.stages() == {1: "Staging", 2: "Production"}
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert harness.stages() == {1: "Production", 2: "Archived"}
    assert "challenger" not in harness.registry.model("taxi").aliases


def test_what_fails_stagings_gate_does_not_go_back_to_it(harness):
    harness.policy(BACK)
    live(harness, "r1")
    trained(harness, "r2")
    harness.registry.trained("r1", rmse=99.0)
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    assert harness.stages() == {1: "Archived", 2: "Production"}

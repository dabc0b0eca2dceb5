"""Every way into a target asks the same: `from`, gates, quarantine; a transition too, and who goes back to Staging."""

import pytest

from tests.actions.versions import live, trained
from tests.policies import model, production
from tests.worker.harness import ADA, POLICY

pytestmark = pytest.mark.both_ledgers
# Staging has a gate, Production asks for nothing.
FREE = POLICY.replace("approval: {rules: [{group: leads}]}", "request: on_request, approval: automatic")


def move(office, number: int, stage: str) -> list[tuple[str, str]]:
    return office.tasks_of(office.post("model_version.transition", model="taxi", version=number, stage=stage))


def test_what_a_gate_held_back_is_not_moved_past_it(office):
    office.policy(FREE)
    held_back = trained(office, "r1", rmse=99.0)
    assert move(office, held_back, "Production") == [("transition", "refused")]
    assert office.fact("task.refused").endswith(
        "taxi version 1 may not go to Production: it is in None, and Production is reached from Staging"
    )
    assert office.stages() == {1: "None"}


def test_a_move_to_a_guarded_stage_of_a_version_that_is_not_there_is_refused_and_no_dead_letter(office):
    assert move(office, 99, "Staging") == [("transition", "succeeded"), ("request", "refused")]
    assert office.fact("task.refused").endswith("was refused: reading taxi version 99: no such version")


def test_nor_from_where_the_policy_names_no_way(office):
    office.policy(production("from: [Staging, Archived]", FREE))
    trained(office, "r1")
    assert move(office, 1, "Archived") == [("transition", "succeeded")]
    assert move(office, 1, "Production") == [("transition", "succeeded")]
    office.policy(FREE)
    move(office, 1, "Archived")
    assert move(office, 1, "Production") == [("transition", "refused")]
    assert office.stages() == {1: "Archived"}


def test_by_aliases_alone_the_way_goes_by_them(office):
    office.policy(model("mode: aliases", FREE))
    trained(office, "r1", rmse=99.0)
    assert move(office, 1, "Production") == [("transition", "refused")]
    assert dict(office.registry.model("taxi").aliases) == {}


def test_what_a_hand_put_past_a_gate_is_not_made_whole_by_a_command(office):
    office.policy(FREE)
    trained(office, "r1", rmse=99.0)
    office.registry.set_stage("taxi", 1, "Production")
    assert move(office, 1, "Production") == [("transition", "refused")]
    assert office.fact("task.refused").endswith("taxi version 1 may not go to Production: rmse 99 is not < 7")
    assert dict(office.registry.model("taxi").aliases) == {}


def test_what_went_the_way_goes_on(office):
    office.policy(FREE)
    trained(office, "r1")
    assert move(office, 1, "Production") == [("transition", "succeeded")]
    office.registry.trained("r1", rmse=99.0)  # what is there by the policy is not asked again
    assert move(office, 1, "Production") == [("transition", "succeeded")]
    assert office.stages() == {1: "Production"}


def test_a_stage_that_nothing_governs_asks_for_nothing(office):
    office.policy(FREE)
    trained(office, "r1", rmse=99.0)
    assert move(office, 1, "Archived") == [("transition", "succeeded")]


# Whoever is replaced, where the policy sends it back to Staging.
BACK = production("on_replace: staging")


def test_what_is_rolled_back_does_not_go_back_to_staging(office):
    office.policy(BACK)
    live(office, "r1", "r2")
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    assert office.stages() == {1: "Staging", 2: "Production"}
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")
    assert office.stages() == {1: "Production", 2: "Archived"}
    assert "challenger" not in office.registry.model("taxi").aliases


def test_what_fails_stagings_gate_does_not_go_back_to_it(office):
    office.policy(BACK)
    live(office, "r1")
    trained(office, "r2")
    office.registry.trained("r1", rmse=99.0)
    office.post("promotion.approve", by=ADA, model="taxi", version=2)
    assert office.stages() == {1: "Archived", 2: "Production"}

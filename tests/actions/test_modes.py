"""Stages, aliases, or both; @previous; and where the one goes that was replaced."""

from tests.actions.versions import live
from tests.policies import model, production
from tests.worker.harness import ADA, POLICY

ALIASES = model("mode: aliases")
STAGES = model("mode: stages", POLICY.replace("alias: challenger, ", "").replace(" alias: champion,", ""))


def aliases(harness) -> dict[str, int]:
    return dict(harness.registry.model("taxi").aliases)


def test_aliases_alone_leave_stages_alone(harness):
    harness.policy(ALIASES)
    live(harness, "r1", "r2")
    assert harness.stages() == {1: "None", 2: "None"}
    assert aliases(harness) == {"champion": 2}
    assert harness.holding() == {"@champion": [2]}
    assert not any(write[0] == "set_stage" for write in harness.registry.writes)


def test_with_aliases_alone_a_rollback_moves_the_alias(harness):
    harness.policy(ALIASES)
    live(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    assert aliases(harness) == {"champion": 1}
    assert harness.holding() == {"@champion": [1]}


def test_with_aliases_alone_the_way_goes_by_them(harness):
    harness.policy(ALIASES)
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    assert "it is in None, and Production is reached from Staging" in harness.fact("model_version.held_back")
    harness.registry.set_alias("taxi", "challenger", 1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert aliases(harness) == {"champion": 1}


def test_with_aliases_alone_an_archiving_takes_them_away(harness):
    harness.policy(ALIASES)
    live(harness, "r1")
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    assert (aliases(harness), harness.holding()) == ({}, {})


def test_with_aliases_alone_a_stage_moved_by_hand_is_put_back_nowhere(harness):
    harness.policy(ALIASES.replace("mode: aliases", "mode: aliases\n    drift: revert"))
    live(harness, "r1", "r2")
    harness.registry.set_stage("taxi", 1, "Production")
    harness.post("registry.reconcile", model="taxi")
    assert harness.stages() == {1: "Production", 2: "None"}
    harness.registry.set_alias("taxi", "champion", 1)
    harness.post("registry.reconcile", model="taxi")
    assert aliases(harness) == {"champion": 2}


def test_stages_alone_leave_aliases_alone(harness):
    harness.policy(STAGES)
    live(harness, "r1", "r2")
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert aliases(harness) == {}
    assert harness.holding() == {"Production": [2], "Archived": [1]}


PREVIOUS = production("previous_alias: previous")


def test_the_one_that_was_replaced_is_named_so(harness):
    harness.policy(PREVIOUS)
    live(harness, "r1", "r2")
    assert aliases(harness) == {"champion": 2, "previous": 1}
    live(harness, "r3")
    assert aliases(harness) == {"champion": 3, "previous": 2}
    assert harness.holding()["@previous"] == [2]


def test_the_record_has_the_previous_one_as_mlflow_shows_it(harness):
    harness.policy(PREVIOUS)
    live(harness, "r1", "r2", "r3")
    told = harness.facts()
    harness.post("registry.reconcile", model="taxi")
    assert harness.facts() == told


def test_what_is_rolled_back_is_nobodys_previous(harness):
    harness.policy(PREVIOUS)
    live(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    assert aliases(harness) == {"champion": 1}
    assert "@previous" not in harness.holding()


def test_with_aliases_alone_the_previous_one_is_known_by_the_record(harness):
    harness.policy(production("previous_alias: previous", ALIASES))
    live(harness, "r1", "r2")
    assert aliases(harness) == {"champion": 2, "previous": 1}


def test_the_one_replaced_goes_back_to_staging_where_the_policy_says_so(harness):
    harness.policy(production("on_replace: staging"))
    live(harness, "r1", "r2")
    assert harness.stages() == {1: "Staging", 2: "Production"}
    assert aliases(harness) == {"challenger": 1, "champion": 2}


def test_an_occupied_staging_is_not_vacated_for_it(harness):
    harness.policy(production("on_replace: staging"))
    live(harness, "r1")
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    many = POLICY.replace("{stage: Staging, alias: challenger,", "{stage: Staging, exclusive: false, on_replace: keep,")
    harness.policy(production("on_replace: staging", many))
    harness.registry.trained("r3", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r3")
    harness.policy(production("on_replace: staging"))
    for _ in range(2):  # the policy changed since it was asked for: the first finds that out
        harness.post("promotion.approve", by=ADA, model="taxi", version=3)
    assert harness.stages() == {1: "Archived", 2: "Staging", 3: "Production"}


def test_a_move_by_hand_is_made_whole_where_the_policy_adopts(harness):
    harness.policy(model("drift: adopt"))
    live(harness, "r1")
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.registry.set_stage("taxi", 2, "Production")
    harness.post("registry.reconcile", model="taxi")
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert aliases(harness) == {"champion": 2}
    assert harness.holding() == {"Production": [2], "@champion": [2], "Archived": [1]}


def test_an_alias_moved_by_hand_takes_its_stage_along_where_the_policy_adopts(harness):
    harness.policy(model("drift: adopt"))
    live(harness, "r1", "r2")
    harness.registry.set_alias("taxi", "champion", 1)
    harness.post("registry.reconcile", model="taxi")
    assert harness.stages() == {1: "Production", 2: "Archived"}
    assert harness.holding()["Production"] == harness.holding()["@champion"] == [1]


def test_what_was_rejected_is_not_adopted_until_somebody_asks_for_it_again(harness):
    harness.policy(model("drift: adopt"))
    live(harness, "r1")
    harness.registry.trained("r2", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.post("promotion.reject", by=ADA, model="taxi", version=2, reason="it forgets the night fares")
    harness.registry.set_stage("taxi", 2, "Production")
    harness.post("registry.reconcile", model="taxi")
    said = harness.fact("registry.changed_by_hand")
    assert "can't be adopted in Production: it was rejected: it forgets the night fares" in said
    assert aliases(harness)["champion"] == 1


def test_what_is_quarantined_is_not_adopted(harness):
    harness.policy(model("drift: adopt"))
    live(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    harness.registry.set_stage("taxi", 2, "Production")
    harness.post("registry.reconcile", model="taxi")
    assert "can't be adopted in Production: it is quarantined" in harness.fact("registry.changed_by_hand")
    assert sorted(harness.holding()["Production"]) == [1, 2]
    told = harness.facts()
    harness.post("registry.reconcile", model="taxi")
    assert harness.facts() == told  # the record has it as it is: nothing is new

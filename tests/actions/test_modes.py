"""Stages, aliases, or both; @previous; and where the one goes that was replaced."""

from tests.policies import model, production
from tests.worker.harness import ADA, POLICY

ALIASES = model("mode: aliases")
STAGES = model("mode: stages", POLICY.replace("alias: challenger, ", "").replace(" alias: champion,", ""))


def promoted(office, *runs: str) -> None:
    for run in runs:
        number = max(office.stages(), default=0) + 1
        office.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
        office.post("promotion.approve", by=ADA, model="taxi", version=number)


def aliases(office) -> dict[str, int]:
    return dict(office.registry.model("taxi").aliases)


def test_aliases_alone_leave_stages_alone(office):
    office.policy(ALIASES)
    promoted(office, "r1", "r2")
    assert office.stages() == {1: "None", 2: "None"}
    assert aliases(office) == {"champion": 2}
    assert office.holding() == {"@champion": [2]}
    assert not any(write[0] == "set_stage" for write in office.registry.writes)


def test_with_aliases_alone_a_rollback_moves_the_alias(office):
    office.policy(ALIASES)
    promoted(office, "r1", "r2")
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    assert aliases(office) == {"champion": 1}
    assert office.holding() == {"@champion": [1]}


def test_with_aliases_alone_the_way_goes_by_them(office):
    office.policy(ALIASES)
    office.registry.trained("r1", rmse=9.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    assert "it is in None, and Production is reached from Staging" in office.fact("model_version.held_back")
    office.registry.set_alias("taxi", "challenger", 1)
    office.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert aliases(office) == {"champion": 1}


def test_with_aliases_alone_an_archiving_takes_them_away(office):
    office.policy(ALIASES)
    promoted(office, "r1")
    office.post("model_version.archive", by=ADA, model="taxi", version=1)
    assert (aliases(office), office.holding()) == ({}, {})


def test_with_aliases_alone_a_stage_moved_by_hand_is_put_back_nowhere(office):
    office.policy(ALIASES.replace("mode: aliases", "mode: aliases\n    drift: revert"))
    promoted(office, "r1", "r2")
    office.registry.set_stage("taxi", 1, "Production")
    office.post("registry.reconcile", model="taxi")
    assert office.stages() == {1: "Production", 2: "None"}
    office.registry.set_alias("taxi", "champion", 1)
    office.post("registry.reconcile", model="taxi")
    assert aliases(office) == {"champion": 2}


def test_stages_alone_leave_aliases_alone(office):
    office.policy(STAGES)
    promoted(office, "r1", "r2")
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert aliases(office) == {}
    assert office.holding() == {"Production": [2], "Archived": [1]}


PREVIOUS = production("previous_alias: previous")


def test_the_one_that_was_replaced_is_named_so(office):
    office.policy(PREVIOUS)
    promoted(office, "r1", "r2")
    assert aliases(office) == {"champion": 2, "previous": 1}
    promoted(office, "r3")
    assert aliases(office) == {"champion": 3, "previous": 2}
    assert office.holding()["@previous"] == [2]


def test_what_is_rolled_back_is_nobodys_previous(office):
    office.policy(PREVIOUS)
    promoted(office, "r1", "r2")
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    assert aliases(office) == {"champion": 1}
    assert "@previous" not in office.holding()


def test_with_aliases_alone_the_previous_one_is_known_by_the_record(office):
    office.policy(production("previous_alias: previous", ALIASES))
    promoted(office, "r1", "r2")
    assert aliases(office) == {"champion": 2, "previous": 1}


def test_the_one_replaced_goes_back_to_staging_where_the_policy_says_so(office):
    office.policy(production("on_replace: staging"))
    promoted(office, "r1", "r2")
    assert office.stages() == {1: "Staging", 2: "Production"}
    assert aliases(office) == {"challenger": 1, "champion": 2}


def test_an_occupied_staging_is_not_vacated_for_it(office):
    office.policy(production("on_replace: staging"))
    promoted(office, "r1")
    office.registry.trained("r2", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r2")
    many = POLICY.replace("{stage: Staging, alias: challenger,", "{stage: Staging, exclusive: false, on_replace: keep,")
    office.policy(production("on_replace: staging", many))
    office.registry.trained("r3", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r3")
    office.policy(production("on_replace: staging"))
    for _ in range(2):  # the policy changed since it was asked for: the first finds that out
        office.post("promotion.approve", by=ADA, model="taxi", version=3)
    assert office.stages() == {1: "Archived", 2: "Staging", 3: "Production"}


def test_a_move_by_hand_is_made_whole_where_the_policy_adopts(office):
    office.policy(model("drift: adopt"))
    promoted(office, "r1")
    office.registry.trained("r2", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r2")
    office.registry.set_stage("taxi", 2, "Production")
    office.post("registry.reconcile", model="taxi")
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert aliases(office) == {"champion": 2}
    assert office.holding() == {"Production": [2], "@champion": [2], "Archived": [1]}


def test_an_alias_moved_by_hand_takes_its_stage_along_where_the_policy_adopts(office):
    office.policy(model("drift: adopt"))
    promoted(office, "r1", "r2")
    office.registry.set_alias("taxi", "champion", 1)
    office.post("registry.reconcile", model="taxi")
    assert office.stages() == {1: "Production", 2: "Archived"}
    assert office.holding()["Production"] == office.holding()["@champion"] == [1]


def test_what_was_rejected_is_not_adopted_until_somebody_asks_for_it_again(office):
    office.policy(model("drift: adopt"))
    promoted(office, "r1")
    office.registry.trained("r2", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r2")
    office.post("promotion.reject", by=ADA, model="taxi", version=2, reason="it forgets the night fares")
    office.registry.set_stage("taxi", 2, "Production")
    office.post("registry.reconcile", model="taxi")
    said = office.fact("registry.changed_by_hand")
    assert "can't be adopted in Production: it was rejected: it forgets the night fares" in said
    assert aliases(office)["champion"] == 1


def test_what_is_quarantined_is_not_adopted(office):
    office.policy(model("drift: adopt"))
    promoted(office, "r1", "r2")
    office.post("model.rollback", by=ADA, model="taxi", reason="wrong prices")
    office.registry.set_stage("taxi", 2, "Production")
    office.post("registry.reconcile", model="taxi")
    assert "can't be adopted in Production: it is quarantined" in office.fact("registry.changed_by_hand")
    assert sorted(office.holding()["Production"]) == [1, 2]
    told = office.facts()
    office.post("registry.reconcile", model="taxi")
    assert office.facts() == told  # the record has it as it is: nothing is new

"""A rollback goes to what the policy let in: by a promotion, by a command, or by an adoption that passed its gates."""

import pytest

from tests.actions.versions import live, trained
from tests.policies import gate_on_production, model, production
from tests.worker.harness import ADA, CI, POLICY

pytestmark = pytest.mark.both_ledgers
GATED = gate_on_production('{metric: rmse, op: "<", threshold: 6}')


def came_by_hand(harness, run: str, rmse: float) -> int:
    number = trained(harness, run, rmse)
    harness.registry.set_stage("taxi", number, "Production")
    harness.registry.set_alias("taxi", "champion", number)
    harness.post("registry.reconcile", model="taxi")
    return number


def rollback(harness) -> None:
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares")


def holder(harness) -> list[int]:
    return harness.holding()["Production"]


def test_not_to_a_version_that_came_by_hand(harness):
    """It had failed the gate, and the next promotion replaced it."""
    live(harness, "r1")
    assert came_by_hand(harness, "r2", rmse=99.0) == 2
    live(harness, "r3")
    rollback(harness)
    assert harness.stages() == {1: "Production", 2: "Archived", 3: "Archived"}
    assert holder(harness) == [1]


def test_where_there_is_no_other_it_says_why_not(harness):
    came_by_hand(harness, "r1", rmse=99.0)
    live(harness, "r2")
    rollback(harness)
    assert harness.fact("task.refused").endswith(
        "taxi has no earlier version in Production to go back to from version 2 "
        "(version 1 came by hand, past the policy: a promotion of it would have its gates and approvals asked): "
        "promote a good version, or lift the quarantine of one that is good after all (quarantine.lift)"
    )
    assert harness.stages()[2] == "Production"


def test_by_webhook_of_mlflow_is_by_hand_too(harness):
    harness.policy(model("mode: aliases"))
    live(harness, "r1")
    number = trained(harness, "r2", 99.0)
    harness.registry.set_alias("taxi", "champion", number)
    harness.post(
        "registry.changed", model="taxi", change="model_version_alias.created", alias="champion", version=number
    )
    live(harness, "r3")
    rollback(harness)
    assert harness.registry.model("taxi").aliases["champion"] == 1


def test_who_came_by_hand_and_was_promoted_later_is_one(harness):
    live(harness, "r1")
    came_by_hand(harness, "r2", rmse=5.0)
    harness.registry.set_stage("taxi", 2, "Staging")
    harness.post("promotion.request", by=ADA, model="taxi", version=2, target="Production")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)
    live(harness, "r3")
    rollback(harness)
    assert holder(harness) == [2]


def test_what_a_rollback_brought_back_is_one(harness):
    live(harness, "r1", "r2")
    rollback(harness)
    live(harness, "r3")
    rollback(harness)
    assert holder(harness) == [1]


def test_from_one_that_came_by_hand_beside_the_holder_it_goes_to_the_holder(harness):
    live(harness, "r1", "r2")
    by_hand = trained(harness, "r3", 99.0)
    harness.registry.set_stage("taxi", by_hand, "Production")
    harness.post("registry.reconcile", model="taxi")
    assert sorted(holder(harness)) == [2, 3]
    rollback(harness)
    assert harness.stages() == {1: "Archived", 2: "Production", 3: "Archived"}
    assert holder(harness) == [2]


def test_where_nothing_is_asked_a_command_brings_one_there(harness):
    harness.policy(POLICY.replace("approval: {rules: [{group: leads}]}", "request: on_request, approval: automatic"))
    for run in ("r1", "r2"):
        harness.post("model_version.transition", model="taxi", version=trained(harness, run), stage="Production")
    rollback(harness)
    assert holder(harness) == [1]


@pytest.mark.parametrize("mode", ["stages+aliases", "aliases"])
@pytest.mark.parametrize("to", [{}, {"to": 1}])
@pytest.mark.parametrize("by", [ADA, CI])
def test_not_to_one_that_holds_a_later_target(harness, mode, to, by):
    """Staging takes no approval, so whoever may ask for a rollback could empty Production."""
    harness.policy(model(f"mode: {mode}"))
    live(harness, "r1")
    trained(harness, "r2")
    was = harness.stages(), harness.holding(), harness.registry.model("taxi").aliases
    harness.post("model.rollback", by=by, model="taxi", target="Staging", reason="wrong fares", **to)
    assert "holds Production, and would be taken out of it" in harness.fact("task.refused")
    assert (harness.stages(), harness.holding(), harness.registry.model("taxi").aliases) == was


def test_to_one_that_holds_an_earlier_target(harness):
    harness.policy(production("on_replace: staging"))
    live(harness, "r1", "r2")
    assert harness.stages() == {1: "Staging", 2: "Production"}
    rollback(harness)
    assert harness.stages()[1] == "Production"


# Adopted.
def test_an_adoption_that_passed_is_one(harness):
    harness.policy(model("drift: adopt", GATED))
    live(harness, "r1")
    came_by_hand(harness, "r2", rmse=5.5)
    live(harness, "r3")
    rollback(harness)
    assert holder(harness) == [2]


@pytest.mark.parametrize(
    ("rmse", "why"), [(6.5, "rmse 6.5 is not < 6"), (99.0, "rmse 99 is not < 7; rmse 99 is not < 6")]
)
def test_what_fails_a_gate_is_not_adopted(harness, rmse, why):
    harness.policy(model("drift: adopt", GATED))
    live(harness, "r1")
    came_by_hand(harness, "r2", rmse=rmse)
    told = harness.fact("registry.changed_by_hand")
    assert told.startswith(f"taxi version 2 can't be adopted in Production: {why}")
    assert harness.stages() == {1: "Production", 2: "Production"}
    live(harness, "r3")
    rollback(harness)
    assert holder(harness) == [1]


def test_what_an_earlier_gate_holds_back_is_not_adopted_further_on(harness):
    """Production itself has none."""
    harness.policy(model("drift: adopt"))
    live(harness, "r1")
    came_by_hand(harness, "r2", rmse=99.0)
    assert "can't be adopted in Production: rmse 99 is not < 7" in harness.fact("registry.changed_by_hand")
    harness.post("registry.reconcile", model="taxi")
    live(harness, "r3")
    rollback(harness)
    assert holder(harness) == [1]


def test_what_came_by_hand_is_not_kept_for_a_rollback(harness):
    harness.policy(model("retention: {keep_last: 1, older_than: 1d, grace: 1d}"))
    came_by_hand(harness, "r1", rmse=99.0)
    live(harness, "r2")
    harness.later(days=2)
    harness.post("model.prune", model="taxi")
    assert "registrar.prune_after" in harness.registry.version("taxi", 1).tags


# Named.
def test_a_version_that_is_named_is_gone_back_to(harness):
    live(harness, "r1", "r2", "r3")
    harness.post("model.rollback", by=ADA, model="taxi", to=1, reason="2 and 3 are wrong")
    assert harness.stages() == {1: "Production", 2: "Archived", 3: "Archived"}
    assert harness.fact("model.rolled_back").endswith("from version 3 to version 1, by Ada: 2 and 3 are wrong")


@pytest.mark.parametrize(
    ("to", "why"),
    [
        (1, "can't go back to version 1 in Production: it is quarantined"),
        (2, "can't go back to version 2 in Production: it is gone"),
        (3, "can't go back to version 3 in Production: it came by hand, past the policy"),
        (4, "version 4 holds Production already: name an earlier one"),
        (5, "can't go back to version 5 in Production: it was never in Production by the record"),
        (9, "can't go back to version 9 in Production: it was never in Production by the record"),
    ],
)
def test_what_is_named_and_may_not_be_is_refused(harness, to, why):
    live(harness, "r1")
    live(harness, "r2")
    harness.registry.set_tag("taxi", 1, "registrar.quarantined", "wrong fares")
    assert came_by_hand(harness, "r3", rmse=99.0) == 3
    live(harness, "r4")
    trained(harness, "r5", 5.0)
    harness.registry.set_stage("taxi", 2, "None")
    harness.registry.delete_version("taxi", 2)
    harness.post("model.rollback", by=ADA, model="taxi", to=to, reason="wrong fares")
    assert why in harness.fact("task.refused")
    assert harness.stages()[4] == "Production"
    assert "registrar.quarantined" not in harness.registry.version("taxi", 4).tags


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("web", "version 1 can be named: registrar rollback taxi --to 1 --reason WHY"),
        ("chat", "version 1 can be named: rollback taxi to 1 WHY"),
        ("ci", "version 1 can be named: model.rollback with to: 1"),
    ],
)
def test_what_can_be_named_is_said_in_the_grammar_of_whoever_asks(harness, source, said):
    deploy = "deploy: {to: [log], environment: prod, confirm_within: 15m}"
    harness.policy(production(deploy, POLICY.replace("people:", "  chat: {kind: slack, secrets: [env:C]}\npeople:")))
    live(harness, "r1")
    harness.later(minutes=16)
    live(harness, "r2")
    harness.post("model.rollback", by=ADA, via=source, model="taxi", reason="wrong fares")
    assert harness.fact("task.refused").endswith(said)


def write_over(harness, number: int) -> None:
    harness.registry.files[f"models/taxi/{number}"] = {"MLmodel": b"another"}


@pytest.mark.parametrize("to", [{}, {"to": 1}])
def test_not_to_files_that_nobody_approved(harness, to):
    live(harness, "r1", "r2")
    write_over(harness, 1)
    harness.post("model.rollback", by=ADA, model="taxi", reason="wrong fares", **to)
    assert "has other files than those that were approved" in harness.fact("task.refused")
    assert harness.stages() == {1: "Archived", 2: "Production"}


def test_to_one_that_was_let_in_though_a_hand_had_it_there_last(harness):
    live(harness, "r1", "r2")
    harness.registry.set_stage("taxi", 1, "Production")
    harness.post("registry.reconcile", model="taxi")
    live(harness, "r3")
    rollback(harness)
    assert harness.stages()[1] == "Production"


def test_not_to_them_where_a_hand_had_it_there_last(harness):
    live(harness, "r1", "r2")
    harness.registry.set_stage("taxi", 1, "Production")
    harness.post("registry.reconcile", model="taxi")
    live(harness, "r3")
    write_over(harness, 1)
    rollback(harness)
    assert harness.stages()[1] == "Archived"


def test_what_a_rollback_brought_back_is_put_back_with_the_files_that_were_approved_alone(harness):
    live(harness, "r1", "r2")
    rollback(harness)
    harness.policy(model("drift: revert"))
    harness.registry.set_stage("taxi", 1, "None")
    harness.registry.drop_alias("taxi", "champion")
    write_over(harness, 1)
    harness.post("registry.reconcile", model="taxi")
    assert harness.stages()[1] == "None"
    assert harness.registry.model("taxi").aliases.get("champion") is None
    assert "its files are not those that were approved" in harness.fact("registry.changed_by_hand")

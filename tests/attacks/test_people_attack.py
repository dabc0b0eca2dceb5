"""What members, delegates, and those who write the policy or have MLflow's login can't do."""

from datetime import timedelta

import pytest

from tests import policies
from tests.actions.test_who_approves import delegating
from tests.attacks.play import approve, error, holdings, live, train
from tests.worker.harness import ADA, BOB, EVE, POLICY

GLASS = policies.approval("{rules: [{group: leads}], break_glass: {group: leads}}")
TWO = "{rules: [{group: leads, required_approvals: 2}]}"


def test_a_member_of_a_group_can_not_pass_a_gate_by_approving(harness):
    harness.policy(
        GLASS.replace("approval: {rules", 'gates: [{metric: rmse, op: "<", threshold: 4}], approval: {rules')
    )
    train(harness)
    approve(harness)
    approve(harness, break_glass=True, reason="now")
    assert harness.stages() == {1: "Staging"}


def test_a_member_of_a_group_can_not_fill_two_seats(harness):
    harness.policy(
        policies.approval("{rules: [{group: leads}, {group: risk}]}").replace("bob]", "bob]\n  risk: [ada, bob]")
    )
    train(harness)
    for _ in range(2):
        approve(harness)
    assert harness.stages() == {1: "Staging"}
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_a_member_of_a_group_can_not_approve_what_they_are_excluded_from(harness):
    harness.policy(policies.approval("{rules: [{group: leads}], exclude: [requester]}"))
    train(harness)
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    approve(harness)
    assert harness.stages() == {1: "Staging"}
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


@pytest.mark.parametrize("reason", [{}, {"reason": ""}])
def test_a_member_of_a_group_can_not_break_the_glass_without_a_reason(harness, granted, reason):
    """Neither past the receiver nor, were it let in, in the worker."""
    vote = {"model": "taxi", "version": 1, "break_glass": True, **reason}
    assert granted.send({"type": "promotion.approve", "data": vote}).status_code in (202, 422)
    harness.policy(policies.approval("{rules: [{group: leads, required_approvals: 2}], break_glass: {group: leads}}"))
    train(harness)
    approve(harness, break_glass=True)
    assert harness.stages() == {1: "Staging"}


def test_a_delegate_can_not_break_the_glass(harness):
    both = policies.approval("{rules: [{group: leads, required_approvals: 2}], break_glass: {group: leads}}")
    harness.policy(delegating_in(harness, both, days=9))
    train(harness)
    approve(harness, by=EVE, break_glass=True, reason="now")
    assert harness.stages() == {1: "Staging"}


def delegating_in(harness, policy: str, *, days: int) -> str:
    until = (harness.now() + timedelta(days=days)).date()
    return policy.replace("ada: {name: Ada}", f"ada: {{name: Ada, delegate: {{to: eve, until: {until}}}}}")


def test_a_delegate_can_not_fill_a_second_seat(harness):
    harness.policy(delegating_in(harness, policies.approval(TWO), days=9))
    train(harness)
    for person in (ADA, EVE):
        approve(harness, by=person)
    assert harness.stages() == {1: "Staging"}


def test_a_delegate_can_not_roll_back(harness):
    live(harness, "r1", "r2")
    harness.policy(delegating(harness, days=9))
    said = harness.post("model.rollback", by=EVE, model="taxi", reason="bad")
    assert "Eve may not roll taxi back" in error(harness, said)
    assert harness.stages()[2] == "Production"


def test_a_delegate_can_not_stand_in_after_the_last_day(harness):
    harness.policy(delegating(harness, days=1))
    train(harness)
    harness.jump(timedelta(days=2))
    approve(harness, by=EVE)
    assert harness.stages() == {1: "Staging"}


def test_the_policy_file_s_administrators_can_not_have_an_open_approval_count_under_a_changed_policy(harness):
    harness.policy(policies.approval(TWO))
    train(harness)
    approve(harness)
    harness.policy(policies.approval("{rules: [{group: leads, required_approvals: 1}]}"))
    approve(harness, by=EVE)
    assert harness.stages() == {1: "Staging"}
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_the_policy_file_s_administrators_can_not_change_what_is_in_the_record(harness):
    live(harness, "r1", "r2")
    before = holdings(harness)
    harness.policy(POLICY.replace("leads: [ada, bob]", "leads: [eve]").replace("name: Ada", "name: Someone"))
    harness.post("registry.reconcile", model="taxi")
    assert holdings(harness) == before


def test_mlflow_s_administrators_can_not_evaluate_by_a_tag(harness):
    harness.policy(policies.gate_on_production('{metric: rmse, of: evaluation, op: "<", threshold: 4}'))
    train(harness)
    harness.registry.trained("e1", rmse=1.0)
    harness.registry.set_tag("taxi", 1, "registrar.evaluation", "e1")
    harness.post("promotion.request", model="taxi", version=1, target="Production")
    approve(harness)
    assert harness.stages() == {1: "Staging"}


def test_mlflow_s_administrators_can_not_free_a_quarantined_version_by_a_tag(harness):
    live(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="bad")
    harness.registry.drop_tag("taxi", 2, "registrar.quarantined")
    harness.registry.set_stage("taxi", 2, "None")
    for target in ("Staging", "Production"):
        harness.post("promotion.request", by=ADA, model="taxi", version=2, target=target)
        approve(harness, 2)
    assert harness.stages() == {1: "Production", 2: "None"}


def test_mlflow_s_administrators_can_not_have_a_version_deleted_by_a_tag(harness):
    harness.policy(policies.model("retention: {keep_last: 1, older_than: 30d, grace: 7d}"))
    for run in ("r1", "r2", "r3"):
        train(harness, run, rmse=99.0)
    for number in (1, 2):
        harness.registry.set_tag("taxi", number, "registrar.prune_after", "2020-01-01T00:00:00+00:00")
    harness.post("model.prune", model="taxi")
    assert set(harness.stages()) == {1, 2, 3}


def test_mlflow_s_administrators_can_not_move_a_version_past_the_record_unseen(harness):
    live(harness, "r1", "r2")
    harness.registry.set_stage("taxi", 1, "Production")
    harness.registry.set_stage("taxi", 2, "None")
    harness.post("registry.reconcile", model="taxi")
    said = " ".join(text for type_, text in harness.facts() if type_ == "registry.drift" or "by hand" in text)
    assert "version 1" in said
    assert "by hand" in said
    assert [
        (one.version, one.event_type) for one in holdings(harness) if one.key == "Production" and one.until is None
    ] == [(1, "registry.reconcile")]

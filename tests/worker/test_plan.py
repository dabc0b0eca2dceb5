"""A plan says what would happen, gate by gate, and does nothing."""

import pytest

from registrar.ledger.engine import now
from tests.policies import approval, production
from tests.worker.harness import ADA, POLICY
from worker.promotions.plan import Plan, PlanContext, plan
from worker.registry.protocol import NotFound, PermanentError, RetryableError


def planned(harness, number: int = 1, stage: str = "Production") -> Plan:
    before = (list(harness.registry.writes), harness.facts(), harness.promotions())
    look = PlanContext(harness.registry, harness.context.policy, harness.ledger, now())
    found = plan(look, "taxi", number, stage)
    assert before == (list(harness.registry.writes), harness.facts(), harness.promotions())
    return found


def train(harness, run: str = "r1", rmse: float = 5.0) -> None:
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run)


def test_ready_says_what_it_takes_and_what_would_follow(harness):
    train(harness, "r1")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    train(harness, "r2")
    found = planned(harness, 2)
    assert found.state == "ready"
    assert found.lines[0].startswith("asked for: on 20")
    assert found.lines[0].endswith("by ci; awaiting approval")
    assert found.lines[1:3] == [
        "approval: 1 of Ada, Bob (leads)",
        "then: Staging -> Production, @champion with it; version 1 is archived",
    ]
    assert found.lines[3] == f"policy: {harness.context.policy.digest('taxi')}"


def test_who_asked_and_may_not_approve_is_no_approver_of_what_is_open(harness):
    harness.policy(approval("{rules: [{group: leads}], exclude: [requester]}"))
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", by=ADA, model="taxi", run_id="r1")
    assert "approval: 1 of Bob (leads)" in planned(harness).lines


def test_blocked_says_by_which_gate(harness):
    train(harness, rmse=9.0)
    found = planned(harness, 1, "Staging")
    assert (found.state, found.lines[0]) == ("blocked", "✗ rmse 9 is not < 7")
    assert planned(harness, 1).lines[0] == "✗ it is in None, and Production is reached from Staging"


def test_a_passed_gate_is_shown_too(harness):
    harness.policy(POLICY.replace("threshold: 7", "threshold: 1"))
    train(harness)
    harness.policy(POLICY)
    assert planned(harness, 1, "Staging").lines[:3] == [
        "✓ rmse 5 is < 7",
        "asked for: not yet",
        "approval: nobody is asked",
    ]


def test_where_who_is_replaced_would_go_is_said(harness):
    harness.policy(production("on_replace: staging"))
    train(harness, "r1")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    train(harness, "r2")
    assert planned(harness, 2).lines[2].endswith("; version 1 goes back to Staging")


def test_who_would_be_told_to_deploy_is_said(harness):
    deploys = POLICY.replace("{rules: [{group: leads}]}", "{rules: [{group: leads}]}, deploy: {to: [log, serving]}")
    harness.policy(deploys.replace("channels:", "channels:\n  serving: {kind: log}"))
    train(harness)
    assert planned(harness).lines[-2] == "then told to deploy: log, serving"


def test_quarantine_blocks(harness):
    train(harness)
    harness.registry.set_tag("taxi", 1, "registrar.quarantined", "bad")
    assert planned(harness).lines[0] == "✗ it is quarantined: bad"


def test_where_it_is_already_there_is_nothing_to_do(harness):
    train(harness)
    assert planned(harness, 1, "Staging") == Plan("nothing to do", ["taxi version 1 is in Staging already"])


def test_what_is_not_there_is_said(harness):
    with pytest.raises(NotFound, match="taxi version 1"):
        planned(harness)
    train(harness)
    harness.policy(
        POLICY.replace("stage: Production, alias: champion,", "stage: Production, alias: champion, gates: [],")
    )
    with pytest.raises(PermanentError, match="no target Archived for taxi"):
        planned(harness, 1, "Archived")


def test_a_registry_that_does_not_answer_is_no_verdict(harness):
    train(harness)
    harness.registry.fail["run"] = RetryableError("MLflow does not answer")
    with pytest.raises(RetryableError):
        planned(harness)

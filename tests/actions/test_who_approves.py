"""Who may speak: the glass that one may break, delegates, and evidence that must still hold when it is acted on."""

from datetime import timedelta

import pytest

from registrar.ledger.promotions import latest
from registrar.ledger.queries import event_status
from tests.policies import approval, gate_on_production
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY
from worker.registry.protocol import RetryableError

GLASS = POLICY.replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]").replace(
    "{rules: [{group: leads}]}", "{rules: [{group: leads, required_approvals: 2}], break_glass: {group: oncall}}"
)


def train(harness, run: str = "r1", rmse: float = 5.0) -> None:
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run)


def approve(harness, version: int = 1, by=ADA, **given) -> str:
    return harness.post("promotion.approve", by=by, model="taxi", version=version, **given)


def test_one_of_the_group_may_break_the_glass_and_it_is_flagged(harness):
    harness.policy(GLASS)
    train(harness)
    approve(harness, by=EVE, break_glass=True, reason="prices are wrong")
    assert harness.stages() == {1: "Production"}
    assert "Eve broke the glass" in harness.fact("promotion.broke_glass")
    with harness.ledger.read() as connection:
        assert latest(connection, "taxi", 1, "Production").broke_glass


@pytest.mark.parametrize(
    ("by", "given", "why"),
    [
        (EVE, {}, "Eve may not approve"),
        (EVE, {"break_glass": True}, "needs a reason"),
        (EVE, {"break_glass": True, "reason": "  "}, "needs a reason"),
        (ADA, {"break_glass": True, "reason": "hurry"}, "Ada may not break the glass"),
        (CI, {"break_glass": True, "reason": "hurry"}, "ci may not break the glass"),
    ],
)
def test_nobody_else_may_and_not_without_a_reason(harness, by, given, why):
    harness.policy(GLASS)
    train(harness)
    approve(harness, by=by, **given)
    assert why in harness.fact("promotion.vote_refused")
    assert harness.stages() == {1: "Staging"}


def test_where_the_policy_has_no_glass_there_is_none_to_break(harness):
    train(harness)
    approve(harness, by=ADA, break_glass=True, reason="hurry")
    assert "the policy has no break_glass for it" in harness.fact("promotion.vote_refused")


def test_the_glass_opens_what_only_time_would(harness):
    harness.policy(GLASS.replace("approval: {rules", "gates: [{soak: 24h}, {max_per_day: 1}], approval: {rules"))
    train(harness)
    assert harness.promotions()[-1][2] == "waiting"
    approve(harness, by=EVE, break_glass=True, reason="prices are wrong")
    assert harness.stages() == {1: "Production"}


def test_the_glass_opens_no_gate(harness):
    gates = 'gates: [{metric: rmse, op: "<", threshold: 4}], approval: {rules'
    harness.policy(GLASS.replace("approval: {rules", gates))
    train(harness)
    approve(harness, by=EVE, break_glass=True, reason="prices are wrong")
    assert "nobody asked for" in harness.fact("promotion.vote_refused")


def delegating(harness, *, days: int, more: str = "") -> str:
    until = (harness.now() + timedelta(days=days)).date()
    return POLICY.replace("ada: {name: Ada}", f"ada: {{name: Ada, delegate: {{to: eve, until: {until}}}}}") + more


def test_a_delegate_counts_to_the_end_of_the_last_day(harness):
    harness.policy(delegating(harness, days=0))
    train(harness)
    approve(harness, by=EVE)
    assert harness.stages() == {1: "Production"}


def test_after_that_a_delegate_counts_no_more(harness):
    harness.policy(delegating(harness, days=-1))
    train(harness)
    approve(harness, by=EVE)
    assert "Eve may not approve" in harness.fact("promotion.vote_refused")


def test_a_delegate_is_one_person_whoever_delegates(harness):
    both = delegating(harness, days=9).replace(
        "bob: {name: Bob}", "bob: {name: Bob, delegate: {to: eve, until: 2999-01-01}}"
    )
    harness.policy(approval("{rules: [{group: leads, required_approvals: 2}]}", both))
    train(harness)
    approve(harness, by=EVE)
    assert "still needed: 1 more of leads" in harness.fact("promotion.vote_counted")
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


@pytest.mark.parametrize("who", [(EVE, ADA), (ADA, EVE)])
def test_a_delegate_and_whom_they_stand_in_for_are_one_member(harness, who):
    harness.policy(approval("{rules: [{group: leads, required_approvals: 2}]}", delegating(harness, days=9)))
    train(harness)
    for person in who:
        approve(harness, by=person)
    assert "still needed: 1 more of leads" in harness.fact("promotion.vote_counted")
    assert harness.stages() == {1: "Staging"}
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_nor_do_they_fill_the_seats_of_two_rules(harness):
    policy = delegating(harness, days=9).replace("leads: [ada, bob]", "leads: [ada, bob]\n  risk: [ada]")
    harness.policy(approval("{rules: [{group: leads}, {group: risk}]}", policy))
    train(harness)
    approve(harness, by=ADA)
    approve(harness, by=EVE)
    assert harness.stages() == {1: "Staging"}
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_a_delegate_may_reject(harness):
    harness.policy(delegating(harness, days=0))
    train(harness)
    harness.post("promotion.reject", by=EVE, model="taxi", version=1)
    assert harness.promotions()[-1] == (1, "Production", "rejected")


def test_a_delegate_does_not_break_the_glass(harness):
    policy = delegating(harness, days=0).replace("leads: [ada, bob]", "leads: [bob]\n  oncall: [ada]")
    harness.policy(approval("{rules: [{group: leads}], break_glass: {group: oncall}}", policy))
    train(harness)
    approve(harness, by=EVE, break_glass=True, reason="prices are wrong")
    assert "Eve may not break the glass" in harness.fact("promotion.vote_refused")
    assert harness.stages() == {1: "Staging"}


@pytest.mark.parametrize(
    ("type_", "data", "said"),
    [
        ("model.rollback", {"reason": "prices are wrong"}, "Eve may not roll taxi back"),
        ("model.prune", {"reason": "disk"}, "Eve may not prune taxi"),
        ("promotion.cancel", {"version": 1}, "Eve may not cancel"),
    ],
)
def test_a_delegate_may_approve_and_reject_and_do_nothing_else(harness, type_, data, said):
    policy = delegating(harness, days=0).replace(
        "  taxi:\n", "  taxi:\n    retention: {keep_last: 1, older_than: 9d, group: leads}\n"
    )
    harness.policy(policy)
    train(harness)
    event = harness.post(type_, by=EVE, model="taxi", **data)
    with harness.ledger.read() as connection:
        assert said in (event_status.event(connection, event) or {})["tasks"][0]["error"]


def test_what_a_delegate_said_in_time_counts_later(harness):
    harness.policy(approval("{rules: [{group: leads, required_approvals: 2}]}", delegating(harness, days=0)))
    train(harness)
    approve(harness, by=EVE)
    harness.later(days=2)
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_nobody_approves_their_own_request_through_a_delegate(harness):
    harness.policy(approval("{rules: [{group: leads}], exclude: [requester]}", delegating(harness, days=9)))
    train(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    approve(harness, by=EVE)
    assert "Eve stands in only for people who asked for taxi version 1 to Production" in harness.fact(
        "promotion.vote_refused"
    )
    assert harness.stages() == {1: "Staging"}


def test_an_open_request_stays_beside_a_newer_one_where_the_policy_says_so(harness):
    harness.policy(approval("{rules: [{group: leads}], on_newer_candidate: keep}"))
    train(harness, "r1")
    train(harness, "r2")
    harness.post("model_version.transition", model="taxi", version=1, stage="None")
    states = [state for _, target, state in harness.promotions() if target == "Production"]
    assert states == ["awaiting_approval", "awaiting_approval"]


def between_approval_and_transition(harness, change) -> None:
    """Approved, and before the transition's turn something happens in MLflow."""
    harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    [task_message] = harness.due()
    harness.run(task_message)
    change()
    harness.work()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda harness: harness.registry.trained("r1", rmse=5.5), "a gate's result changed"),
        (
            lambda harness: harness.registry.files.update({"models/taxi/1": {"MLmodel": b"x"}}),
            "the model's files changed",
        ),
        (lambda harness: harness.registry.set_stage("taxi", 1, "Archived"), "it is in Archived"),
        (lambda harness: harness.policy(gate_on_production("{tags: [d]}")), "the policy"),
    ],
)
def test_what_changed_before_it_was_done_is_void_and_asked_for_again(harness, change, said):
    harness.policy(gate_on_production('{metric: rmse, op: "<", threshold: 6}'))
    train(harness)
    between_approval_and_transition(harness, lambda: change(harness))
    assert said in harness.fact("promotion.void")
    assert harness.holding().get("Production") is None
    assert "superseded" in [state for _, target, state in harness.promotions() if target == "Production"]


def test_a_transition_cut_off_midway_is_finished_and_not_judged_by_itself(harness):
    """The baseline is the version itself then: its own gate would call what was shown changed."""
    beats = '{metric: rmse, baseline: "@champion", greater_is_better: false}'
    harness.policy(gate_on_production(beats))
    train(harness, "r1", 5.0)
    approve(harness, 1)
    train(harness, "r2", 4.0)
    harness.registry.fail["set_description"] = RetryableError("the line is cut")
    approve(harness, 2)
    assert (harness.stages()[2], harness.holding()["Production"]) == ("Production", [1])
    harness.later(minutes=2)
    assert harness.holding()["Production"] == harness.holding()["@champion"] == [2]
    assert harness.stages() == {1: "Archived", 2: "Production"}

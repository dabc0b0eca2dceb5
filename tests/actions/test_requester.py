"""Who asked stays who asked: through a void, a changed policy, the clock and automatic next steps."""

import pytest

from registrar.events.event import Actor
from registrar.ledger.promotions import latest
from registrar.queries.local import LocalQueries
from tests.policies import approval
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY
from worker.promotions.plan import PlanContext, plan

DAN = Actor("dan", "Dan")
NOT_ONESELF = approval(
    "{rules: [{group: leads}], exclude: [requester]}",
    POLICY.replace("eve: {name: Eve}", "eve: {name: Eve}\n  dan: {name: Dan}").replace("[ada, bob]", "[bob, dan]"),
)
GATED = NOT_ONESELF.replace("champion, approval", 'champion, gates: [{metric: rmse, op: "<", threshold: 6}], approval')
FROZEN = GATED.replace(
    'gates: [{metric: rmse, op: "<", threshold: 6}', 'gates: [{metric: rmse, op: "<", threshold: 6}, {max_per_day: 1}'
)


def train(harness, run: str = "r1", rmse: float = 5.0) -> None:
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run)


def asked_by(harness, who: Actor, version: int = 1) -> None:
    """In Staging, and asked for by one person."""
    harness.post("promotion.cancel", by=CI, model="taxi", version=version)
    harness.post("promotion.request", by=who, model="taxi", version=version, target="Production")


def approve(harness, by: Actor, version: int = 1, **data) -> str:
    return harness.post("promotion.approve", by=by, model="taxi", version=version, **data)


def requester(harness, version: int = 1, target: str = "Production") -> str:
    with harness.ledger.read() as connection:
        found = latest(connection, "taxi", version, target)
    return found.requested_by if found else ""


def a_metric_changes(harness) -> None:
    harness.registry.trained("r1", rmse=5.5)


def the_policy_changes(harness) -> None:
    harness.policy(GATED.replace("threshold: 6", "threshold: 5.9"))


@pytest.mark.both_ledgers
@pytest.mark.parametrize("change", [a_metric_changes, the_policy_changes])
def test_what_a_vote_voids_is_asked_for_again_as_its_requesters(harness, change):
    harness.policy(GATED)
    train(harness)
    asked_by(harness, DAN)
    change(harness)
    approve(harness, BOB)
    assert "asked for again" in harness.fact("promotion.void")
    assert requester(harness) == "dan"
    with harness.ledger.read() as connection:
        again = latest(connection, "taxi", 1, "Production")
    assert (
        LocalQueries(harness.ledger, lambda: harness.context.policy).promotion(again.id)["requested_by_name"] == "Dan"
    )
    approve(harness, DAN)
    assert "Dan asked for taxi version 1" in harness.fact("promotion.vote_refused")
    approve(harness, BOB)
    assert harness.stages() == {1: "Production"}


def test_what_is_void_and_held_back_is_still_its_requesters_when_an_evaluation_has_it_tried_again(harness):
    harness.policy(GATED)
    train(harness)
    asked_by(harness, DAN)
    harness.registry.trained("r1", rmse=6.5)
    approve(harness, BOB)
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.evaluated("e1", 1, rmse=5.0)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert requester(harness) == "dan"


def test_what_the_clock_voids_stays_its_requesters(harness):
    harness.policy(FROZEN)
    for run in ("r1", "r2"):
        train(harness, run)
        asked_by(harness, DAN, int(run[1]))
        approve(harness, BOB, int(run[1]))
    assert harness.promotions()[-1] == (2, "Production", "approved")
    harness.registry.trained("r2", rmse=5.5)
    harness.later(hours=25)
    assert "asked for again" in harness.fact("promotion.void")
    assert requester(harness, 2) == "dan"


def test_who_approves_one_step_did_not_ask_for_the_next(harness):
    """The transition is the approver's event, and so is the request that follows from it."""
    harness.policy(NOT_ONESELF.replace("approval: automatic", "approval: {rules: [{group: leads}]}"))
    train(harness)
    assert requester(harness, target="Staging") == "source:ci"
    approve(harness, BOB, target="Staging")
    assert (harness.stages(), requester(harness)) == ({1: "Staging"}, "source:ci")
    approve(harness, BOB)
    assert harness.stages() == {1: "Production"}


def test_who_sends_it_on_its_way_asked_for_all_of_it(harness):
    harness.policy(NOT_ONESELF.replace("approval: automatic", "approval: {rules: [{group: leads}]}"))
    harness.registry.trained("r1", rmse=5.0)
    train(harness)
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1, target="Staging")
    harness.post("model_version.transition", by=DAN, model="taxi", version=1, stage="Staging")
    approve(harness, BOB, target="Staging")
    assert (requester(harness, target="Staging"), requester(harness)) == ("dan", "dan")


def test_who_asks_anew_is_the_requester_of_that(harness):
    harness.policy(NOT_ONESELF)
    train(harness)
    asked_by(harness, DAN)
    harness.post("promotion.cancel", by=DAN, model="taxi", version=1)
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert requester(harness) == "bob"


def test_of_a_model_made_anew_nobody_who_asked_before_is_the_requester(harness):
    harness.policy(NOT_ONESELF)
    train(harness)
    asked_by(harness, DAN)
    approve(harness, BOB)
    harness.registry._models.clear()
    harness.registry._aliases.clear()
    train(harness, "r2")
    assert requester(harness) == "source:ci"


def plan_context(harness) -> PlanContext:
    return PlanContext(harness.registry, harness.context.policy, harness.ledger, harness.now())


def impossible(harness, version: int = 1) -> str:
    local = LocalQueries(harness.ledger, lambda: harness.context.policy)
    [row] = [row for row in local.promotions(state="open").rows if row["version"] == version]
    return row["voting"]["impossible"]


def test_that_an_approval_can_not_be_met_any_more_is_said_where_people_look(harness):
    harness.policy(NOT_ONESELF.replace("[bob, dan]", "[dan]"))
    train(harness)
    assert (impossible(harness), plan(plan_context(harness), "taxi", 1, "Production").state) == ("", "ready")
    asked_by(harness, DAN)
    why = "can't be met any more: nobody is left who may give 1 more of leads"
    assert impossible(harness) == why
    told = plan(plan_context(harness), "taxi", 1, "Production")
    assert (told.state, told.lines[0]) == ("blocked", f"✗ the approval {why}")


def test_nor_where_a_vote_used_up_whom_its_voter_stands_in_for(harness):
    policy = approval("{rules: [{group: leads, required_approvals: 2}], exclude: [requester]}")
    harness.policy(policy.replace("ada: {name: Ada}", "ada: {name: Ada, delegate: {to: eve, until: 2999-01-01}}"))
    train(harness)
    asked_by(harness, BOB)
    assert "1 more of leads" in impossible(harness)
    approve(harness, EVE)
    assert "1 more of leads" in impossible(harness)
    approve(harness, ADA)
    assert harness.stages() == {1: "Staging"}

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


def train(office, run: str = "r1", rmse: float = 5.0) -> None:
    office.registry.trained(run, rmse=rmse)
    office.post("training_run.finished", model="taxi", run_id=run)


def asked_by(office, who: Actor, version: int = 1) -> None:
    """In Staging, and asked for by one person."""
    office.post("promotion.cancel", by=CI, model="taxi", version=version)
    office.post("promotion.request", by=who, model="taxi", version=version, target="Production")


def approve(office, by: Actor, version: int = 1, **data) -> str:
    return office.post("promotion.approve", by=by, model="taxi", version=version, **data)


def requester(office, version: int = 1, target: str = "Production") -> str:
    with office.ledger.read() as connection:
        found = latest(connection, "taxi", version, target)
    return found.requested_by if found else ""


def a_metric_changes(office) -> None:
    office.registry.trained("r1", rmse=5.5)


def the_policy_changes(office) -> None:
    office.policy(GATED.replace("threshold: 6", "threshold: 5.9"))


@pytest.mark.both_ledgers
@pytest.mark.parametrize("change", [a_metric_changes, the_policy_changes])
def test_what_a_vote_voids_is_asked_for_again_as_its_requesters(office, change):
    office.policy(GATED)
    train(office)
    asked_by(office, DAN)
    change(office)
    approve(office, BOB)
    assert "asked for again" in office.fact("promotion.void")
    assert requester(office) == "dan"
    with office.ledger.read() as connection:
        again = latest(connection, "taxi", 1, "Production")
    assert LocalQueries(office.ledger, lambda: office.bench.policy).promotion(again.id)["requested_by_name"] == "Dan"
    approve(office, DAN)
    assert "Dan asked for taxi version 1" in office.fact("promotion.vote_refused")
    approve(office, BOB)
    assert office.stages() == {1: "Production"}


def test_what_is_void_and_held_back_is_still_its_requesters_when_an_evaluation_has_it_tried_again(office):
    office.policy(GATED)
    train(office)
    asked_by(office, DAN)
    office.registry.trained("r1", rmse=6.5)
    approve(office, BOB)
    office.registry.trained("r1", rmse=5.0)
    office.registry.evaluated("e1", 1, rmse=5.0)
    office.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert requester(office) == "dan"


def test_what_the_clock_voids_stays_its_requesters(office):
    office.policy(FROZEN)
    for run in ("r1", "r2"):
        train(office, run)
        asked_by(office, DAN, int(run[1]))
        approve(office, BOB, int(run[1]))
    assert office.promotions()[-1] == (2, "Production", "approved")
    office.registry.trained("r2", rmse=5.5)
    office.later(hours=25)
    assert "asked for again" in office.fact("promotion.void")
    assert requester(office, 2) == "dan"


def test_who_approves_one_step_did_not_ask_for_the_next(office):
    """The transition is the approver's event, and so is the request that follows from it."""
    office.policy(NOT_ONESELF.replace("approval: automatic", "approval: {rules: [{group: leads}]}"))
    train(office)
    assert requester(office, target="Staging") == "source:ci"
    approve(office, BOB, target="Staging")
    assert (office.stages(), requester(office)) == ({1: "Staging"}, "source:ci")
    approve(office, BOB)
    assert office.stages() == {1: "Production"}


def test_who_sends_it_on_its_way_asked_for_all_of_it(office):
    office.policy(NOT_ONESELF.replace("approval: automatic", "approval: {rules: [{group: leads}]}"))
    office.registry.trained("r1", rmse=5.0)
    train(office)
    office.post("promotion.cancel", by=BOB, model="taxi", version=1, target="Staging")
    office.post("model_version.transition", by=DAN, model="taxi", version=1, stage="Staging")
    approve(office, BOB, target="Staging")
    assert (requester(office, target="Staging"), requester(office)) == ("dan", "dan")


def test_who_asks_anew_is_the_requester_of_that(office):
    office.policy(NOT_ONESELF)
    train(office)
    asked_by(office, DAN)
    office.post("promotion.cancel", by=DAN, model="taxi", version=1)
    office.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert requester(office) == "bob"


def test_of_a_model_made_anew_nobody_who_asked_before_is_the_requester(office):
    office.policy(NOT_ONESELF)
    train(office)
    asked_by(office, DAN)
    approve(office, BOB)
    office.registry._models.clear()
    office.registry._aliases.clear()
    train(office, "r2")
    assert requester(office) == "source:ci"


def look(office) -> PlanContext:
    return PlanContext(office.registry, office.bench.policy, office.ledger, office.now())


def impossible(office, version: int = 1) -> str:
    local = LocalQueries(office.ledger, lambda: office.bench.policy)
    [row] = [row for row in local.promotions(state="open").rows if row["version"] == version]
    return row["voting"]["impossible"]


def test_that_an_approval_can_not_be_met_any_more_is_said_where_people_look(office):
    office.policy(NOT_ONESELF.replace("[bob, dan]", "[dan]"))
    train(office)
    assert (impossible(office), plan(look(office), "taxi", 1, "Production").state) == ("", "ready")
    asked_by(office, DAN)
    why = "can't be met any more: nobody is left who may give 1 more of leads"
    assert impossible(office) == why
    told = plan(look(office), "taxi", 1, "Production")
    assert (told.state, told.lines[0]) == ("blocked", f"✗ the approval {why}")


def test_nor_where_a_vote_used_up_whom_its_voter_stands_in_for(office):
    policy = approval("{rules: [{group: leads, required_approvals: 2}], exclude: [requester]}")
    office.policy(policy.replace("ada: {name: Ada}", "ada: {name: Ada, delegate: {to: eve, until: 2999-01-01}}"))
    train(office)
    asked_by(office, BOB)
    assert "1 more of leads" in impossible(office)
    approve(office, EVE)
    assert "1 more of leads" in impossible(office)
    approve(office, ADA)
    assert office.stages() == {1: "Staging"}

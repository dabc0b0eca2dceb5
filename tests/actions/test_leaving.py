"""Taking a guarded holder out asks what rolling it back asks, and opens no gate: nobody to compare with is no pass."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

import registrar.local
from registrar.events.event import Actor
from registrar.ledger.tables import holders, incarnations
from tests.actions.versions import live, trained
from tests.policies import gate_on_production, gate_on_staging, model
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY

BEATS = '{metric: rmse, baseline: "@champion", greater_is_better: false}'
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)
BASELINE = gate_on_production(BEATS)
GLASS = POLICY.replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]").replace(
    "{rules: [{group: leads}]}", "{rules: [{group: leads}], break_glass: {group: oncall}}"
)
# A way back that the policy names, for whoever may ask.
WAY_BACK = POLICY.replace("alias: challenger", "alias: challenger, from: [None, Production]")
FREE_WAY_BACK = WAY_BACK.replace('gates: [{metric: rmse, op: "<", threshold: 7}], ', "")

OUT = [
    ("model_version.archive", {}),
    ("model_version.transition", {"stage": "None"}),
    ("model_version.transition", {"stage": "Archived"}),
    ("model_version.transition", {"stage": "Staging"}),
    ("promotion.request", {"target": "Staging"}),
]


def take_out(harness, type_: str, data: dict, *, by=CI, version: int = 1) -> str:
    return harness.post(type_, by=by, model="taxi", version=version, **data)


@pytest.mark.parametrize("policy", [POLICY, BASELINE, WAY_BACK, FREE_WAY_BACK, model("mode: aliases")])
@pytest.mark.parametrize(("type_", "data"), OUT)
def test_who_may_not_approve_does_not_take_the_holder_out(harness, policy, type_, data):
    harness.policy(model("mode: aliases") if "mode: aliases" in policy else POLICY)
    live(harness, "r1")
    harness.policy(policy)
    where = harness.holding(), dict(harness.registry.model("taxi").aliases), harness.stages()
    take_out(harness, type_, data)
    assert (harness.holding(), dict(harness.registry.model("taxi").aliases), harness.stages()) == where


@pytest.mark.parametrize(("type_", "data"), OUT[:3])
@pytest.mark.parametrize(("policy", "by"), [(POLICY, BOB), (GLASS, EVE)])
def test_who_could_roll_it_back_may_take_it_out(harness, policy, by, type_, data):
    harness.policy(policy)
    live(harness, "r1")
    take_out(harness, type_, data, by=by)
    assert "Production" not in harness.holding()
    assert harness.stages()[1] != "Production"


def test_it_is_said_who_may_and_what_to_do(harness):
    live(harness, "r1")
    take_out(harness, "model_version.archive", {})
    assert harness.fact("task.refused").endswith(
        "ci may not take taxi version 1 out of Production; these may: leads: Ada, Bob"
    )


def test_a_delegate_does_not(harness):
    harness.policy(POLICY.replace("ada: {name: Ada}", "ada: {name: Ada, delegate: {to: eve, until: 2999-01-01}}"))
    live(harness, "r1")
    take_out(harness, "model_version.archive", {}, by=EVE)
    assert harness.stages() == {1: "Production"}


@pytest.mark.both_ledgers
def test_what_no_approval_is_asked_for_may_be_archived_as_before(harness):
    trained(harness, "r1")
    take_out(harness, "model_version.archive", {})
    assert harness.stages() == {1: "Archived"}


def test_what_a_hand_moved_away_is_still_the_records_holder(harness):
    """Else a command would make the hand's move the record's, which drift: revert puts right."""
    live(harness, "r1")
    harness.registry.set_stage("taxi", 1, "None")
    harness.registry.drop_alias("taxi", "champion")
    take_out(harness, "model_version.archive", {})
    assert harness.holding()["Production"] == [1]
    assert harness.stages() == {1: "None"}


def test_on_its_way_further_it_leaves_the_target_before(harness):
    harness.policy(POLICY.replace("approval: automatic", "approval: {rules: [{group: leads}]}"))
    trained(harness, "r1")
    for target in ("Staging", "Production"):
        harness.post("promotion.approve", by=ADA, model="taxi", version=1, target=target)
    assert harness.stages() == {1: "Production"}


def worse(harness) -> None:
    harness.registry.trained("r2", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.post("promotion.approve", by=ADA, model="taxi", version=2)


@pytest.mark.both_ledgers
@pytest.mark.parametrize(("type_", "data"), OUT[:3])
def test_with_the_champion_gone_a_worse_one_is_compared_with_it_still(harness, type_, data):
    harness.policy(BASELINE)
    live(harness, "r1")
    take_out(harness, type_, data, by=ADA)
    worse(harness)
    assert "rmse 6 is worse than 5 of @champion's last holder (version 1)" in harness.fact("model_version.held_back")
    assert harness.stages()[2] == "Staging"


def test_nor_does_a_hand_that_takes_the_alias_away_open_the_gate(harness):
    harness.policy(BASELINE)
    live(harness, "r1")
    harness.registry.drop_alias("taxi", "champion")
    worse(harness)
    assert "Production" not in (harness.stages()[2], *harness.holding().get("@champion", []))
    assert "@champion's last holder (version 1)" in harness.fact("model_version.held_back")


def test_nor_one_that_gives_the_alias_to_the_candidate(harness):
    harness.policy(BASELINE)
    live(harness, "r1")
    harness.registry.trained("r2", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.registry.set_alias("taxi", "champion", 2)
    harness.post("promotion.request", by=CI, model="taxi", version=2, target="Production")
    assert "rmse 6 is worse than 5 of @champion's last holder (version 1)" in harness.fact("model_version.held_back")


def test_what_is_adopted_is_compared_too(harness):
    harness.policy(model("drift: adopt", BASELINE))
    live(harness, "r1")
    harness.registry.trained("r2", rmse=6.0)
    harness.post("training_run.finished", model="taxi", run_id="r2")
    harness.registry.set_alias("taxi", "champion", 2)
    harness.registry.set_stage("taxi", 2, "Production")
    harness.post("registry.reconcile", model="taxi")
    assert "can't be adopted" in harness.fact("registry.changed_by_hand")


@pytest.mark.parametrize("gone", ["deleted", "quarantined"])
def test_where_nobody_is_left_to_compare_with_the_gate_is_shut(harness, gone):
    harness.policy(BASELINE)
    live(harness, "r1")
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    trained(harness, "bad", rmse=99.0)
    if gone == "deleted":
        harness.registry.delete_version("taxi", 1)
    else:
        harness.registry.set_tag("taxi", 1, "registrar.quarantined", "wrong fares")
    trained(harness, "r2", rmse=1.0)
    said = harness.fact("model_version.held_back")
    assert "nothing holds @champion to compare with, though it was held before" in said


@pytest.mark.both_ledgers
def test_the_very_first_passes_and_so_does_the_only_one_that_ever_was(harness):
    harness.policy(BASELINE)
    live(harness, "r1")
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    harness.post("model_version.transition", by=CI, model="taxi", version=1, stage="None")
    harness.post("model_version.transition", by=CI, model="taxi", version=1, stage="Staging")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.stages() == {1: "Production"}


def test_by_the_stage_too_where_it_had_no_alias_then(harness):
    harness.policy(POLICY.replace("stage: Production, alias: champion", "stage: Production"))
    live(harness, "r1")
    harness.policy(BASELINE)
    worse(harness)
    assert "@champion's last holder (version 1)" in harness.fact("model_version.held_back")


@pytest.mark.edits_the_record
def test_what_a_deleted_model_of_that_name_held_is_not_this_ones(harness):
    harness.policy(BASELINE)
    live(harness, "r1")
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    with harness.ledger.write() as connection:  # before the model was made that is there now
        connection.execute(update(incarnations).values(created_at=LONG_AGO))
    worse(harness)
    assert harness.stages()[2] == "Production"


@pytest.mark.edits_the_record
@pytest.mark.parametrize("noted", [True, False])
def test_what_held_it_by_a_worker_whose_clock_is_behind_mlflows_did_hold_it(harness, noted):
    """Where the record does not know when the version was made, the worker's clock is all there is."""
    harness.policy(BASELINE)
    live(harness, "r1")
    harness.post("model_version.archive", by=ADA, model="taxi", version=1)
    with harness.ledger.write() as connection:
        connection.execute(update(holders).values(since=LONG_AGO, **({} if noted else {"incarnation": None})))
    worse(harness)
    assert harness.stages()[2] == ("Staging" if noted else "Production")


def test_an_alias_of_no_target_counts_too(harness):
    harness.policy(gate_on_staging(BEATS.replace("@champion", "@reference")))
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    harness.registry.set_alias("taxi", "reference", 1)
    harness.post("registry.reconcile", model="taxi")
    harness.registry.drop_alias("taxi", "reference")
    worse(harness)
    assert "@reference's last holder (version 1)" in harness.fact("model_version.held_back")


def test_the_starters_ci_can_not_do_it_either(harness):
    """The policy that `registrar up` writes, with a gate against the champion."""
    starter = Path(registrar.local.__file__).with_name("starter.yml").read_text()
    harness.policy(starter.replace("alias: champion\n", f"alias: champion\n        gates: [{BEATS}]\n"))
    for run, rmse in (("r1", 5.0), ("r2", 6.0)):
        harness.registry.trained(run, rmse=rmse)
        harness.post("training_run.finished", model="taxi", run_id=run)
        harness.post("promotion.approve", by=Actor("you", "You"), model="taxi", version=1)
        for type_, data in OUT:
            take_out(harness, type_, data)
    assert harness.holding()["Production"] == harness.holding()["@champion"] == [1]
    assert any("rmse 6 is worse than 5 of @champion (version 1)" in text for _, text in harness.facts())

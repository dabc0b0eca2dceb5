"""From a registered version to Production: request, vote, transition, archive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from registrar.config.encryption import REPLY
from registrar.ledger.tables import promotions, tasks
from tests.worker.harness import ADA, BOB, EVE, POLICY
from worker import lookups
from worker.registry import entities
from worker.registry.entities import ModelSource
from worker.registry.protocol import PermanentError

pytestmark = pytest.mark.both_ledgers


def train(harness, run: str = "r1", rmse: float = 5.0) -> None:
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run, commit="c0ffee")


def approve(harness, version: int = 1, by=ADA, **given) -> str:
    return harness.post("promotion.approve", by=by, model="taxi", version=version, **given)


def test_a_version_that_passes_its_gates_goes_to_staging_and_waits_for_approval(harness):
    train(harness)
    assert harness.holding() == {"Staging": [1], "@challenger": [1]}
    assert harness.registry.version("taxi", 1).aliases == ("challenger",)
    assert harness.promotions() == [(1, "Staging", "promoted"), (1, "Production", "awaiting_approval")]
    assert "waits for approval to go to Production: 1 of Ada, Bob (leads)" in harness.fact(
        "promotion.awaiting_approval"
    )


def test_a_version_that_fails_a_gate_is_held_back_with_the_reason_on_it(harness):
    train(harness, rmse=9.1)
    assert harness.stages() == {1: "None"}
    assert harness.registry.version("taxi", 1).tags["registrar.held_back.Staging"] == "rmse 9.1 is not < 7"
    assert harness.fact("model_version.held_back") == "taxi version 1 was held back from Staging: rmse 9.1 is not < 7"


def test_a_list_of_versions_says_what_held_them_back(harness):
    train(harness, rmse=9.1)
    train(harness, "r2")
    table = lookups.versions(harness.registry, datetime.now(UTC), model="taxi")
    assert [row[table.columns.index("held back")] for row in table.rows] == ["", "Staging: rmse 9.1 is not < 7"]


def test_a_version_that_passes_later_is_no_longer_said_to_be_held_back(harness):
    train(harness, rmse=9.1)
    harness.policy(POLICY.replace("threshold: 7", "threshold: 10"))
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Staging")
    assert harness.stages() == {1: "Staging"}
    assert "registrar.held_back.Staging" not in harness.registry.version("taxi", 1).tags


def test_an_approval_puts_it_in_production_and_says_by_whom(harness):
    train(harness)
    approve(harness)
    assert harness.holding() == {"Production": [1], "@champion": [1]}
    found = harness.registry.version("taxi", 1)
    assert found.aliases == ("champion",)
    assert "version 1 was transitioned to Production on 20" in found.description
    assert found.description.endswith("by Ada")
    assert harness.promotions()[-1] == (1, "Production", "promoted")


def test_the_previous_holder_is_archived_and_history_says_so(harness):
    for number, run in enumerate(("r1", "r2"), start=1):
        train(harness, run)
        approve(harness, number)
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert harness.holding() == {"Production": [2], "@champion": [2], "Archived": [1]}
    assert harness.fact("model_version.archived") == "taxi version 1 was archived by Ada: version 2 took Production"
    assert "version 1 was transitioned to Archived on 20" in harness.registry.version("taxi", 1).description


def test_a_move_tells_programs_what_it_tells_people(harness):
    for number, run in enumerate(("r1", "r2"), start=1):
        train(harness, run)
        approve(harness, number)
    moved = {"from": "Staging", "stage": "Production", "alias": "champion", "previous_version": 1, "run_id": "r2"}
    told = harness.details("model_version.transitioned")
    assert told.items() >= {**moved, "commit": "c0ffee", "by": "Ada"}.items()
    gone = {"from": "Production", "stage": "Archived", "alias": None, "previous_version": None, "run_id": "r1"}
    assert harness.details("model_version.archived").items() >= {**gone, "commit": "c0ffee", "by": "Ada"}.items()


def test_a_vote_of_somebody_not_permitted_is_refused_recorded_and_answered(harness):
    train(harness)
    reply_to = harness.context.encryptor.encrypt({"kind": "slack", "url": "http://127.0.0.1:9/"}, audience=REPLY)
    event = approve(harness, by=EVE, reply_to=reply_to)
    assert harness.stages() == {1: "Staging"}
    assert harness.votes() == [("eve", "approve", False)]
    assert "Eve may not approve taxi version 1 to Production; these may: leads: Ada, Bob" in harness.fact(
        "promotion.vote_refused"
    )
    assert ("reply", "queued") in harness.tasks_of(event)


def test_a_vote_on_what_nobody_asked_for_says_so(harness):
    train(harness, rmse=9.0)
    approve(harness)
    assert "nobody asked for taxi version 1 to Production" in harness.fact("promotion.vote_refused")


def test_a_second_approval_after_the_promotion_changes_nothing(harness):
    train(harness)
    approve(harness)
    approve(harness, by=BOB)
    assert "is promoted already by ada" in harness.fact("promotion.vote_refused").lower()
    assert harness.holding() == {"Production": [1], "@champion": [1]}


def test_a_rejection_ends_the_promotion_with_its_reason(harness):
    train(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1, reason="drift")
    assert harness.promotions()[-1] == (1, "Production", "rejected")
    approve(harness)
    assert harness.stages() == {1: "Staging"}
    assert "is rejected already by Bob (drift)" in harness.fact("promotion.vote_refused")


def test_two_approvals_are_needed_where_the_policy_says_two(harness):
    harness.policy(POLICY.replace("{group: leads}", "{group: leads, required_approvals: 2}"))
    train(harness)
    approve(harness)
    assert harness.stages() == {1: "Staging"}
    assert "still needed: 1 more of leads" in harness.fact("promotion.vote_counted")
    approve(harness)
    assert "Ada approved taxi version 1 to Production already" in harness.fact("promotion.vote_refused")
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_an_approval_is_void_when_the_policy_changed_since_it_was_asked_for(harness):
    train(harness)
    harness.policy(
        POLICY.replace("approval: {rules", 'gates: [{metric: rmse, op: "<", threshold: 6}], approval: {rules')
    )
    approve(harness)
    assert harness.stages() == {1: "Staging"}
    assert "the policy and a gate's result changed" in harness.fact("promotion.void")
    assert harness.promotions()[1:] == [(1, "Production", "superseded"), (1, "Production", "awaiting_approval")]
    approve(harness)
    assert harness.stages() == {1: "Production"}


def test_an_approval_is_void_when_the_metrics_changed_since(harness):
    harness.policy(
        POLICY.replace("approval: {rules", 'gates: [{metric: rmse, op: "<", threshold: 6}], approval: {rules')
    )
    train(harness)
    harness.registry.trained("r1", rmse=5.5)
    approve(harness)
    assert harness.stages() == {1: "Staging"}
    assert "a gate's result changed" in harness.fact("promotion.void")


def test_a_newer_candidate_supersedes_the_older_request(harness):
    train(harness, "r1")
    train(harness, "r2")
    approve(harness, 1)
    assert "is superseded already (version 2 came after it)" in harness.fact("promotion.vote_refused")


def test_a_transition_to_a_guarded_stage_goes_through_its_policy(harness):
    train(harness, rmse=9.0)
    harness.post("model_version.transition", model="taxi", version=1, stage="production")
    assert harness.stages() == {1: "None"}
    assert "it is in None, and Production is reached from Staging" in harness.fact("model_version.held_back")


def test_a_demotion_takes_the_alias_away(harness):
    train(harness)
    approve(harness)
    harness.post("model_version.transition", by=ADA, model="taxi", version=1, stage="None")
    assert harness.stages() == {1: "None"}
    assert harness.registry.model("taxi").aliases == {}
    assert harness.holding() == {}


def test_a_version_is_archived_on_request(harness):
    train(harness)
    harness.post("model_version.archive", model="taxi", version=1)
    assert harness.holding() == {"Archived": [1]}


def test_a_holder_set_by_hand_is_archived_too_when_another_takes_the_stage(harness):
    train(harness, "r1")
    train(harness, "r2", rmse=8)
    harness.registry.set_stage("taxi", 2, "Production")
    approve(harness, 1)
    assert harness.stages() == {1: "Production", 2: "Archived"}


def test_an_unknown_version_is_refused_and_told(harness):
    train(harness)
    harness.post("model_version.transition", model="taxi", version=99, stage="Archived")
    assert "MLflow has no version 99 of taxi: it has version" in harness.fact("task.refused")


@pytest.mark.edits_the_record
def test_doing_a_transition_again_after_a_crash_writes_nothing_twice(harness):
    train(harness)
    description = harness.registry.version("taxi", 1).description
    event = harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    harness.work()
    writes = list(harness.registry.writes)
    with harness.ledger.write() as connection:  # as if the worker had died after MLflow's last commit and before ours
        moved = (tasks.c.event_id == event) & (tasks.c.name == "worker.transition")
        connection.execute(update(tasks).where(moved).values(state="queued"))
        connection.execute(update(promotions).where(promotions.c.target == "Production").values(state="approved"))
    harness.work()
    assert harness.registry.writes == writes
    assert harness.registry.version("taxi", 1).description.count("Production") == 1
    assert description in harness.registry.version("taxi", 1).description


def test_an_ungoverned_model_is_moved_by_whoever_is_granted_it(harness):
    harness.registry.trained("r1")
    harness.post("training_run.finished", model="free", run_id="r1")
    assert harness.stages("free") == {1: "None"}
    harness.post("model_version.transition", model="free", version=1, stage="Production")
    assert harness.stages("free") == {1: "Production"}


BOTH = POLICY.replace("leads: [ada, bob]", "leads: [ada, bob]\n  risk: [bob, eve]")
RULES = "{rules: [{group: leads}]}"


def with_approval(harness, approval: str, policy: str = POLICY) -> None:
    harness.policy(policy.replace(RULES, approval))


def test_one_person_counts_for_one_of_several_rules(harness):
    with_approval(harness, "{rules: [{group: leads}, {group: risk}]}", BOTH)
    train(harness)
    approve(harness, by=BOB)
    assert "still needed: 1 more of risk" in harness.fact("promotion.vote_counted")
    approve(harness, by=ADA)
    assert harness.stages() == {1: "Production"}


def test_who_asked_for_it_may_not_approve_it_where_the_policy_says_so(harness):
    with_approval(harness, "{rules: [{group: leads}], exclude: [requester]}")
    train(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", by=ADA, model="taxi", version=1, target="Production")
    approve(harness, by=ADA)
    assert "Ada asked for taxi version 1 to Production, so somebody else must approve it" in harness.fact(
        "promotion.vote_refused"
    )
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_who_trained_it_may_not_approve_it_where_the_policy_says_so(harness):
    policy = POLICY.replace("ada: {name: Ada}", "ada: {name: Ada, accounts: {mlflow: ada}}")
    with_approval(harness, "{rules: [{group: leads}], exclude: [author]}", policy)
    train(harness)
    approve(harness, by=ADA)
    assert "Ada trained taxi version 1, so somebody else must approve it" in harness.fact("promotion.vote_refused")
    approve(harness, by=BOB)
    assert harness.stages() == {1: "Production"}


def test_a_rejection_needs_a_reason_where_the_policy_says_so(harness):
    with_approval(harness, "{rules: [{group: leads}], reject_reason: required}")
    train(harness)
    harness.post("promotion.reject", by=BOB, model="taxi", version=1)
    assert "needs a reason" in harness.fact("promotion.vote_refused")
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")
    harness.post("promotion.reject", by=BOB, model="taxi", version=1, reason="drift")
    assert harness.promotions()[-1] == (1, "Production", "rejected")


def make_older(harness, **how: int) -> None:
    with harness.ledger.write() as connection:
        waiting = update(promotions).where(promotions.c.state == "awaiting_approval")
        connection.execute(waiting.values(created_at=datetime.now(UTC) - timedelta(**how)))


@pytest.mark.edits_the_record
def test_what_expired_is_not_approved_and_may_be_asked_for_again(harness):
    with_approval(harness, "{rules: [{group: leads}], expires_after: 2h}")
    train(harness)
    make_older(harness, hours=3)
    approve(harness)
    assert "was asked for 3 h ago and has expired" in harness.fact("promotion.expired")
    assert harness.stages() == {1: "Staging"}
    assert (1, "Production", "expired") in harness.promotions()
    harness.post("promotion.request", by=EVE, model="taxi", version=1, target="Production")
    approve(harness)
    assert harness.stages() == {1: "Production"}


@pytest.mark.edits_the_record
def test_a_request_ends_an_earlier_one_that_expired(harness):
    with_approval(harness, "{rules: [{group: leads}], expires_after: 30m}")
    train(harness)
    make_older(harness, hours=1)
    harness.post("promotion.request", by=EVE, model="taxi", version=1, target="Production")
    states = [state for _, target, state in harness.promotions() if target == "Production"]
    assert states == ["expired", "awaiting_approval"]


BEATS = '{metric: rmse, baseline: "@champion", greater_is_better: false, min_relative_change: 0.1}'


def test_a_version_must_beat_the_champion_where_the_policy_says_so(harness):
    harness.policy(POLICY.replace("approval: {rules", f"gates: [{BEATS}], approval: {{rules"))
    train(harness, "r1", 5.0)
    approve(harness, 1)
    train(harness, "r2", 4.9)
    held = "rmse 4.9 is better than 5 of @champion (version 1) by 2 %; rmse better than @champion's by 10 % is required"
    assert harness.fact("model_version.held_back") == f"taxi version 2 was held back from Production: {held}"
    train(harness, "r3", 4.0)
    approve(harness, 3)
    assert harness.holding()["@champion"] == [3]


def test_an_approval_is_void_when_the_champion_changed_since(harness):
    harness.policy(POLICY.replace("approval: {rules", f"gates: [{BEATS}], approval: {{rules"))
    train(harness, "r1", 5.0)
    approve(harness, 1)
    train(harness, "r2", 4.0)
    harness.registry.runs["r1"] = harness.registry.trained("r1", rmse=4.1)
    approve(harness, 2)
    assert "a gate's result changed" in harness.fact("promotion.void")
    assert harness.holding()["@champion"] == [1]


@pytest.mark.parametrize(
    ("gate", "reason"),
    [("{tags: [dataset]}", "the tag dataset is missing"), ("{max_age: 1d}", "trained within 1d is required")],
)
def test_tags_and_age_are_asked_for_too(harness, gate, reason):
    harness.policy(POLICY.replace('{metric: rmse, op: "<", threshold: 7}', gate))
    train(harness)
    assert reason in harness.fact("model_version.held_back")


def test_a_signature_is_asked_for_too(harness):
    harness.policy(POLICY.replace('{metric: rmse, op: "<", threshold: 7}', "{signature: required}"))
    harness.registry.files["models/taxi/1"] = {"MLmodel": b"flavors: {}"}
    harness.registry.files["models/taxi/2"] = {"MLmodel": b"flavors: {}\nsignature: {inputs: x}"}
    train(harness, "r1")
    assert "has no signature" in harness.fact("model_version.held_back")
    train(harness, "r2")
    assert harness.stages() == {1: "None", 2: "Staging"}


def test_an_evaluation_opens_what_waited_for_it(harness):
    gate = "{evaluated_within: 7d}, {metric: rmse, of: evaluation, op: '<', threshold: 4}"
    harness.policy(POLICY.replace('{metric: rmse, op: "<", threshold: 7}', gate))
    train(harness)
    assert "it was not evaluated" in harness.fact("model_version.held_back")
    harness.registry.evaluated("e1", 1, rmse=3.0)
    harness.registry.runs["e1"] = replace(harness.registry.runs["e1"], started_at=harness.now())
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert harness.stages() == {1: "Staging"}
    assert "was evaluated by run run-e1" in harness.fact("model_version.evaluated")


def test_an_evaluation_that_failed_is_none(harness):
    train(harness, rmse=9.0)
    harness.registry.runs["e1"] = replace(harness.registry.evaluated("e1", 1, rmse=3.0), status="FAILED")
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert "run e1 ended as FAILED: it is no evaluation" in harness.fact("task.failed")
    assert "registrar.evaluation" not in harness.registry.version("taxi", 1).tags


EVALUATED = POLICY.replace("{metric: rmse, op", "{metric: rmse, of: evaluation, op")


def test_a_tag_is_no_evaluation_whoever_sets_it(harness):
    harness.policy(EVALUATED)
    harness.registry.trained("r1", rmse=5.0)
    harness.registry.ensure_model("taxi")
    tags = {"registrar.evaluation": "r1"}
    made = harness.registry.create_version("taxi", ModelSource("models:/m-r1"), run_id="r1", description="", tags=tags)
    harness.post("promotion.request", model="taxi", version=made.version, target="Staging")
    assert "it was not evaluated" in harness.fact("model_version.held_back")
    harness.registry.set_tag("taxi", 1, "registrar.evaluation", "r1")
    harness.post("promotion.request", model="taxi", version=made.version, target="Staging")
    assert harness.stages() == {1: "None"}


def test_an_evaluation_counts_though_its_tag_is_gone_and_not_for_a_model_made_anew(harness):
    harness.policy(EVALUATED)
    train(harness)
    harness.registry.evaluated("e1", 1, rmse=3.0)
    harness.registry.fail["set_stage"] = PermanentError("not now")
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    harness.registry.drop_tag("taxi", 1, "registrar.evaluation")
    harness.post("promotion.request", model="taxi", version=1, target="Staging")
    assert harness.stages() == {1: "Staging"}
    harness.registry.take_back("taxi", 1)
    harness.registry.create_version("taxi", ModelSource("models:/m-r1"), run_id="r1", description="", tags={})
    harness.registry._change("taxi", 1, created_at=harness.now())
    harness.post("promotion.request", model="taxi", version=1, target="Staging")
    assert "it was not evaluated" in harness.fact("model_version.held_back")


@pytest.mark.parametrize(
    "says", [{}, {"evaluated_model": "models:/taxi/2"}, {"evaluated_model": "models:/bus/1"}, {"evaluated_model": ""}]
)
def test_a_run_that_does_not_say_it_evaluated_this_version_is_no_evaluation_of_it(harness, says):
    harness.policy(EVALUATED)
    train(harness)
    harness.registry.runs["e1"] = replace(harness.registry.trained("e1", None, rmse=3.0), tags=says)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert "run e1 does not say that it evaluated taxi version 1: set its tag" in harness.fact("task.failed")
    assert harness.stages() == {1: "None"}


def test_the_run_of_another_version_is_no_evaluation(harness):
    harness.policy(EVALUATED)
    train(harness)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="r1")
    assert "does not say that it evaluated" in harness.fact("task.failed")


def test_mlflows_own_link_to_the_model_says_it(harness):
    harness.policy(EVALUATED)
    train(harness)
    run = harness.registry.trained("e1", None, rmse=3.0)
    harness.registry.runs["e1"] = replace(run, inputs=(harness.registry.version("taxi", 1).source[len("models:/") :],))
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert harness.stages() == {1: "Staging"}


def test_an_evaluation_of_a_version_that_had_the_number_before_is_none(harness):
    harness.policy(EVALUATED)
    train(harness)
    harness.registry.evaluated("e1", 1, rmse=3.0)
    harness.registry._change("taxi", 1, created_at=harness.now() + timedelta(hours=1))
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert "does not say that it evaluated" in harness.fact("task.failed")


def test_a_rejection_stands_whatever_evaluation_comes_until_somebody_asks(harness):
    train(harness)
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="wrong at night")
    harness.registry.evaluated("e1", 1, rmse=3.0)
    event = harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert ("request", "succeeded") in harness.tasks_of(event)
    assert harness.promotions()[-1] == (1, "Production", "rejected")
    harness.post("promotion.request", by=BOB, model="taxi", version=1, target="Production")
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_a_rejection_of_another_version_that_had_the_number_does_not_stand(harness):
    train(harness)
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="wrong at night")
    harness.registry._change("taxi", 1, run_id="r7")
    harness.registry.trained("r7", rmse=5.0)
    harness.registry.evaluated("e1", 1, rmse=3.0)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_an_evaluation_that_was_accepted_and_could_not_be_acted_on_counts_for_nothing(harness):
    harness.policy(EVALUATED)
    train(harness)
    harness.registry.evaluated("e1", 1, rmse=3.0)
    harness.registry.fail["set_tag"] = PermanentError("the registry refuses it")
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    harness.post("promotion.request", model="taxi", version=1, target="Staging")
    assert harness.stages() == {1: "None"}


def test_reasons_longer_than_a_tag_may_be_hold_a_version_back_all_the_same(harness):
    names = [f"{number:02}" + "x" * 200 for number in range(30)]
    gates = ", ".join(f"{{metric: {name}, op: '<', threshold: 7}}" for name in names)
    harness.policy(POLICY.replace('{metric: rmse, op: "<", threshold: 7}', gates))
    for _ in range(2):
        train(harness)
        harness.post("promotion.request", model="taxi", version=1, target="Staging")
    assert all(name in harness.fact("model_version.held_back") for name in names)
    tag = harness.registry.version("taxi", 1).tags["registrar.held_back.Staging"]
    assert tag.startswith(f"{names[0]} was not logged")
    assert (len(tag), tag[-1]) == (entities.MAX_TAG, "…")
    assert [call for call, *_ in harness.registry.writes].count("set_tag") == 1

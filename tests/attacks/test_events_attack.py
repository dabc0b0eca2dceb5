"""What a source can't do with an event type that it is granted."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from registrar.ledger.engine import now
from registrar.ledger.tables import tasks
from tests import policies
from tests.actions.test_deploy import policy as deploying
from tests.actions.test_resend import became, grant, replay
from tests.actions.test_retry import died, letter, retry
from tests.attacks.play import approve, entries, error, holdings, live, train
from tests.webhooks.conftest import finished
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY

EVALUATED = policies.gate_on_production('{metric: rmse, of: evaluation, op: "<", threshold: 4}')
KEPT = policies.model("retention: {keep_last: 1, older_than: 30d, grace: 7d}")
OURS = ({"registrar.evaluation": "r1"}, {"registrar.quarantined": ""}, {"mlflow.prompt.is_prompt": "true"})


@pytest.mark.parametrize("tags", OURS)
def test_training_run_finished_can_not_set_a_tag_of_registrar_or_of_mlflow(granted, tags):
    assert granted.send(finished(tags=tags)).status_code == 422
    assert granted.events() == []


def test_training_run_finished_can_not_evaluate_its_own_version(harness):
    harness.policy(EVALUATED)
    train(harness, rmse=3.0)
    approve(harness)
    assert harness.stages() == {1: "Staging"}


def test_training_run_finished_can_not_approve_it(harness):
    train(harness, description="approved by Ada", tags={"approved_by": "ada"})
    approve(harness, by=CI)
    assert (harness.stages(), harness.votes()) == ({1: "Staging"}, [("source:ci", "approve", False)])


def test_training_run_finished_can_not_pass_a_gate_by_an_event(harness):
    train(harness, rmse=99.0, tags={"rmse": "1"})
    harness.post("model_version.register", model="taxi", run_id="r1")
    assert harness.stages() == {1: "None"}


def test_training_run_failed_can_not_change_the_registry_or_the_record(harness):
    live(harness, "r1")
    written, said = list(harness.registry.writes), entries(harness)
    harness.post("training_run.failed", model="taxi", run_id="r1", reason="x")
    assert (harness.registry.writes, entries(harness)) == (written, said)


def test_evaluation_run_finished_can_not_approve(harness):
    harness.policy(EVALUATED)
    train(harness)
    harness.registry.evaluated("e1", 1, rmse=1.0)
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="e1")
    assert (harness.stages(), harness.promotions()[-1]) == ({1: "Staging"}, (1, "Production", "awaiting_approval"))


def test_evaluation_run_finished_can_not_name_a_run_that_failed_or_is_not_there(harness):
    harness.policy(EVALUATED)
    train(harness)
    harness.registry.runs["e1"] = _ended(harness, "FAILED")
    for run in ("e1", "gone"):
        harness.post("evaluation_run.finished", model="taxi", version=1, run_id=run)
    assert "registrar.evaluation" not in harness.registry.version("taxi", 1).tags
    assert "ended as FAILED" in harness.facts()[-2][1]


def _ended(harness, status):
    return replace(harness.registry.trained("e1", rmse=1.0), status=status)


def test_experiment_create_can_not_touch_one_that_is_there(harness):
    for tags in ({}, {"owner": "eve"}):
        harness.post("experiment.create", name="taxi", tags=tags)
    assert [write[0] for write in harness.registry.writes] == ["create_experiment"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "model/../../x", "a\\..\\b"])
def test_artifacts_fetch_can_not_choose_where_files_are_written(granted, path):
    assert granted.send({"type": "artifacts.fetch", "data": {"run_id": "4c8ef2a1", "path": path}}).status_code == 422


@pytest.mark.parametrize("run", ["http://203.0.113.9/x", "s3://bucket/x", "file:///etc/passwd", "../x"])
def test_artifacts_fetch_can_not_name_an_address(granted, run):
    assert granted.send({"type": "artifacts.fetch", "data": {"run_id": run}}).status_code == 422


def test_model_version_transition_can_not_pass_an_approval(harness):
    train(harness)
    harness.post("model_version.transition", model="taxi", version=1, stage="Production")
    assert (harness.stages(), harness.promotions()[-1]) == ({1: "Staging"}, (1, "Production", "awaiting_approval"))


def test_model_version_transition_can_not_pass_a_gate(harness):
    harness.policy(POLICY.replace(f"approval: {policies.RULES}", "approval: automatic"))
    train(harness, rmse=99.0)
    for stage in ("Staging", "Production"):
        harness.post("model_version.transition", model="taxi", version=1, stage=stage)
    assert harness.stages() == {1: "None"}


def test_model_version_transition_can_not_move_what_is_quarantined_to_a_target(harness):
    live(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="bad")
    for stage in ("None", "Staging", "Production"):
        harness.post("model_version.transition", model="taxi", version=2, stage=stage)
    assert harness.stages() == {1: "Production", 2: "None"}


def test_model_version_archive_can_not_bring_a_version_to_a_target(granted):
    asked = {"model": "taxi", "version": 1, "stage": "Production"}
    assert granted.send({"type": "model_version.archive", "data": asked}).status_code == 422


def test_model_version_archive_can_not_take_out_who_holds_a_target_with_approvals(harness):
    live(harness, "r1")
    harness.post("model_version.archive", model="taxi", version=1)
    assert harness.stages() == {1: "Production"}
    assert "may not take taxi version 1 out of Production" in harness.fact("task.refused")


def test_registry_settle_can_not_settle_where_nothing_is_in_dispute(harness):
    live(harness, "r1")
    harness.registry.set_stage("taxi", 1, "Staging")
    for trust in ("mlflow", "ledger"):
        harness.post("registry.settle", model="taxi", trust=trust)
        assert "are not in dispute" in harness.fact("task.refused")
    assert (harness.holding()["Production"], harness.stages()) == ([1], {1: "Staging"})


@pytest.mark.parametrize("tags", OURS)
def test_model_version_describe_can_not_set_a_tag_of_registrar_or_of_mlflow_by_describing(granted, tags):
    asked = {"model": "taxi", "version": 1, "tags": tags}
    assert granted.send({"type": "model_version.describe", "data": asked}).status_code == 422


def test_promotion_request_can_not_approve_what_it_asked_for(harness):
    train(harness)
    for _ in range(3):
        harness.post("promotion.request", model="taxi", version=1, target="Production")
    assert (harness.stages(), harness.promotions()[-1]) == ({1: "Staging"}, (1, "Production", "awaiting_approval"))


def test_promotion_request_can_not_pass_a_gate_by_asking(harness):
    train(harness, rmse=99.0)
    for target in ("Staging", "Production"):
        harness.post("promotion.request", model="taxi", version=1, target=target)
    assert harness.stages() == {1: "None"}


def test_promotion_approve_can_not_vote_where_its_name_is_in_no_group(harness):
    train(harness)
    for kind in ("approve", "reject"):
        harness.post(f"promotion.{kind}", by=CI, model="taxi", version=1, reason="x")
    assert [counted for *_, counted in harness.votes()] == [False, False]
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_promotion_approve_can_not_vote_as_a_person_in_another_name(granted):
    vote = {"model": "taxi", "version": 1}
    assert granted.send({"type": "promotion.approve", "data": {**vote, "actor": "ada"}}).status_code == 422
    assert granted.send({"type": "promotion.approve", "actor": "ada", "data": vote}).status_code in (202, 422)
    assert {event.actor for event in granted.events()} <= {"source:ci"}


def test_promotion_approve_can_not_count_twice(harness):
    harness.policy(policies.approval("{rules: [{group: leads, required_approvals: 2}]}"))
    train(harness)
    for _ in range(3):
        approve(harness)
    assert harness.stages() == {1: "Staging"}


def test_promotion_approve_can_not_vote_for_what_was_asked_for_later(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.accept("training_run.finished", model="taxi", run_id="r1")
    harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    harness.work()
    assert (harness.stages(), harness.promotions()[-1]) == ({1: "Staging"}, (1, "Production", "awaiting_approval"))


def test_promotion_cancel_can_not_cancel_what_is_others_to_decide(harness):
    train(harness)
    said = harness.post("promotion.cancel", by=EVE, model="taxi", version=1)
    assert "Eve may not cancel" in error(harness, said)
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


@pytest.mark.parametrize("who", [EVE, CI])
def test_model_rollback_can_not_roll_back_where_it_could_not_approve(harness, who):
    live(harness, "r1", "r2")
    said = harness.post("model.rollback", by=who, model="taxi", reason="bad")
    assert "may not roll taxi back" in error(harness, said)
    assert harness.stages() == {1: "Archived", 2: "Production"}


@pytest.mark.parametrize("to", [{}, {"to": 1}])
def test_model_rollback_can_not_take_the_holder_of_a_later_target_out_of_it(harness, to):
    """Staging takes no approval, and version 1 was there before version 2."""
    live(harness, "r1")
    train(harness, "r2")
    said = harness.post("model.rollback", by=CI, model="taxi", target="Staging", reason="bad", **to)
    assert "holds Production, and would be taken out of it" in error(harness, said)
    assert harness.stages() == {1: "Production", 2: "Staging"}


def test_model_rollback_can_not_quarantine_what_does_not_hold_the_target(harness):
    live(harness, "r1", "r2")
    train(harness, "r3")
    asked = harness.accept("model.rollback", by=ADA, model="taxi", reason="version 2 is bad")
    harness.registry.set_stage("taxi", 2, "Archived")
    harness.registry.set_stage("taxi", 3, "Production")
    harness.registry.set_alias("taxi", "champion", 3)
    harness.work()
    assert error(harness, asked)
    assert not any("registrar.quarantined" in version.tags for version in harness.registry.versions("taxi"))


@pytest.mark.parametrize("who", [EVE, CI])
def test_quarantine_lift_can_not_free_what_it_could_not_approve(harness, who):
    live(harness, "r1", "r2")
    harness.post("model.rollback", by=ADA, model="taxi", reason="bad")
    harness.post("quarantine.lift", by=who, model="taxi", version=2, reason="it is fine")
    assert "registrar.quarantined" in harness.registry.version("taxi", 2).tags


def test_registry_changed_can_not_state_what_mlflow_does_not_show(harness):
    live(harness, "r1", "r2")
    before = holdings(harness)
    for change, more in (
        ("model_version_alias.created", {"alias": "champion", "version": 1}),
        ("model_version_alias.deleted", {"alias": "champion"}),
        ("model_version_tag.set", {"version": 1, "key": "registrar.evaluation", "value": "r1"}),
        ("model_version.created", {"version": 9}),
    ):
        harness.post("registry.changed", model="taxi", change=change, **more)
    harness.post("registry.reconcile", model="taxi")
    assert holdings(harness) == before


def in_mlflow(harness, run: str) -> int:
    """Register a run's model there, past Registrar."""
    harness.registry.trained(run, rmse=5.0)
    source = harness.registry.sources[run, "model"]
    return harness.registry.create_version("taxi", source, run_id=run, description="", tags={}).version


def test_registry_changed_can_not_have_taken_in_what_is_not_in_mlflow(harness):
    live(harness, "r1")
    for number in (2, 2**31 - 1):
        harness.post("registry.changed", model="taxi", change="model_version.created", version=number)
    assert [version for version, _, _ in harness.promotions()] == [1, 1]


def test_registry_changed_can_not_have_one_version_taken_in_twice(harness):
    live(harness, "r1")
    number = in_mlflow(harness, "r2")
    for _ in range(3):
        harness.post("registry.changed", model="taxi", change="model_version.created", version=number)
        harness.post("registry.reconcile", model="taxi")
        harness.registry.drop_tag("taxi", number, "registrar.event")
    assert [each for each in harness.promotions() if each[0] == number] == [
        (number, "Staging", "promoted"),
        (number, "Production", "awaiting_approval"),
    ]


def test_model_adopt_can_not_move_anything(harness):
    live(harness, "r1")
    in_mlflow(harness, "r2")
    harness.registry.set_stage("taxi", 2, "Production")
    before = harness.stages()
    harness.post("model.adopt", model="taxi")
    assert harness.stages() == before


def test_model_adopt_can_not_take_a_holder_that_the_record_knows_for_another(harness):
    live(harness, "r1")
    in_mlflow(harness, "r2")
    harness.registry.set_alias("taxi", "champion", 2)
    harness.registry.set_stage("taxi", 1, "None")
    harness.registry.set_stage("taxi", 2, "Production")
    harness.post("model.adopt", model="taxi")
    assert (harness.holding()["Production"], harness.holding()["@champion"]) == ([1], [1])


def test_model_review_can_not_bring_anything_forward_before_its_time(harness):
    harness.policy(policies.gate_on_production("{soak: 24h}"))
    train(harness)
    for _ in range(3):
        harness.post("model.review", model="taxi")
    assert harness.promotions()[-1] == (1, "Production", "waiting")
    harness.later(hours=25)
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_registry_query_can_not_change_anything(harness):
    live(harness, "r1")
    written, said = list(harness.registry.writes), entries(harness)
    for question in ("versions", "history", "plan_prune", "dead"):
        harness.post("registry.query", by=ADA, question=question, model="taxi")
    assert (harness.registry.writes, entries(harness)) == (written, said)


def test_model_archive_can_not_archive_what_holds_a_stage_or_an_alias(harness):
    live(harness, "r1")
    train(harness, "r2")
    train(harness, "r3", rmse=99.0)
    harness.registry.set_alias("taxi", "shadow", 3)
    before = harness.stages()
    for number in (1, 2, 3):
        harness.registry._change("taxi", number, created_at=now() - timedelta(days=400))
    harness.post("model.archive", model="taxi", older_than="1s", keep=1)
    assert harness.stages() == before


def test_model_archive_can_not_delete_anything(harness):
    for run in ("r1", "r2", "r3"):
        train(harness, run, rmse=99.0)
    harness.post("model.archive", model="taxi", older_than="1s", keep=1)
    harness.later(days=400)
    assert set(harness.stages()) == {1, 2, 3}


def test_model_prune_can_not_delete_what_holds_a_target(harness):
    harness.policy(KEPT)
    live(harness, "r1")
    train(harness, "r2")
    train(harness, "r3", rmse=99.0)
    for number in (1, 2, 3):
        harness.registry._change("taxi", number, created_at=now() - timedelta(days=400))
    for _ in range(2):
        harness.post("model.prune", model="taxi")
        harness.later(days=8)
    assert {1, 2} <= set(harness.stages())


def test_model_prune_can_not_delete_where_no_retention_is_written(harness):
    train(harness, rmse=99.0)
    train(harness, "r2", rmse=99.0)
    for number in (1, 2):
        harness.registry._change("taxi", number, created_at=now() - timedelta(days=400))
    for _ in range(2):
        harness.post("model.prune", model="taxi")
        harness.later(days=30)
    assert set(harness.stages()) == {1, 2}


def test_deployment_succeeded_can_not_report_one_that_nobody_waits_for(harness):
    harness.policy(deploying())
    live(harness, "r1", "r2")
    said = entries(harness)
    for kind, version, where in (("failed", 1, "prod"), ("failed", 2, "test"), ("succeeded", 7, "prod")):
        harness.post(f"deployment.{kind}", model="taxi", version=version, environment=where)
    assert (harness.stages(), entries(harness)) == ({1: "Archived", 2: "Production"}, said)


def test_deployment_succeeded_can_not_go_back_twice_for_one_deployment(harness):
    harness.policy(deploying())
    live(harness, "r1", "r2", "r3")
    for _ in range(2):
        harness.post("deployment.failed", model="taxi", version=3, environment="prod")
    assert harness.stages()[2] == "Production"


def test_task_retry_can_not_touch_a_task_of_another_model(harness):
    died(harness)
    for kind in ("task.retry", "task.drop"):
        said = harness.post(kind, by=CI, task_id=letter(harness).id, model="bus", reason="x")
        assert error(harness, said).startswith(f"there is no task {letter(harness).id} about bus")
    assert letter(harness).state == "dead"


def test_task_retry_can_not_have_a_vote_count_for_what_was_asked_for_later(harness):
    train(harness)
    said = harness.accept("promotion.approve", by=ADA, model="taxi", version=1)
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == said).values(state="dead", finished_at=now()))
    harness.post("promotion.cancel", by=BOB, model="taxi", version=1)
    harness.post("promotion.request", model="taxi", version=1, target="Production")
    retry(harness, letter(harness).id, by=CI)
    assert (harness.stages(), harness.promotions()[-1]) == ({1: "Staging"}, (1, "Production", "awaiting_approval"))


def test_task_retry_can_not_have_an_old_evaluation_count_before_a_newer_one(harness):
    """One that died while the registry was down, and another that came since."""
    harness.policy(EVALUATED)
    train(harness)
    for run, rmse in (("good", 1.0), ("bad", 99.0)):
        harness.registry.evaluated(run, 1, rmse=rmse)
    said = harness.accept("evaluation_run.finished", model="taxi", version=1, run_id="good")
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == said).values(state="dead", finished_at=now()))
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="bad")
    retry(harness, letter(harness).id, by=CI)
    approve(harness)
    assert harness.registry.version("taxi", 1).tags["registrar.evaluation"] == "bad"
    assert harness.stages() == {1: "Staging"}


def test_event_replay_can_not_replay_what_it_may_not_send(harness):
    harness.registry.trained("r1", rmse=5.0)
    first = harness.post("training_run.finished", model="taxi", run_id="r1")
    grant(harness, "event.replay")
    assert "may not send training_run.finished" in error(harness, replay(harness, first))


def test_event_replay_can_not_vote_in_the_first_voter_s_name(harness):
    two = policies.approval("{rules: [{group: leads, required_approvals: 2}]}")
    grant(harness, '"*"', two)
    train(harness)
    vote = approve(harness)
    became(harness, replay(harness, vote, by=EVE))
    assert harness.votes() == [("ada", "approve", True), ("eve", "approve", False)]


def test_event_replay_can_not_have_a_fact_count_out_of_its_time(harness):
    """What was good, or failed, long ago is not so by being said again."""
    grant(harness, '"*"', EVALUATED)
    train(harness)
    for run, rmse in (("good", 1.0), ("bad", 99.0)):
        harness.registry.evaluated(run, 1, rmse=rmse)
    first = harness.post("evaluation_run.finished", model="taxi", version=1, run_id="good")
    harness.post("evaluation_run.finished", model="taxi", version=1, run_id="bad")
    became(harness, replay(harness, first))
    approve(harness)
    assert harness.registry.version("taxi", 1).tags["registrar.evaluation"] == "bad"
    assert harness.stages() == {1: "Staging"}

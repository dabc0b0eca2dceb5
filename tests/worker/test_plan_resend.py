"""A plan of a replay says what would come of it, and does nothing."""

import pytest

from registrar.events.types import parse
from registrar.ledger.engine import now
from tests.worker.harness import WorkerHarness
from worker.interventions import plan_resend
from worker.promotions.plan import Plan, PlanContext
from worker.registry.protocol import RetryableError


def planned(harness: WorkerHarness, type_: str, **data: object) -> Plan:
    before = list(harness.registry.writes)
    found = plan_resend(
        PlanContext(harness.registry, harness.context.policy, harness.ledger, now()), parse(type_, data)
    )
    assert before == harness.registry.writes
    return found


def test_a_run_that_is_a_version_already_is_nothing_to_do(harness):
    harness.registry.trained("r1", rmse=9.0)
    new = planned(harness, "training_run.finished", model="taxi", run_id="r1")
    assert new == Plan("ready", ["worker.register would act on it", "run r1 would become a new version of taxi"])
    harness.post("training_run.finished", model="taxi", run_id="r1")
    known = planned(harness, "training_run.finished", model="taxi", run_id="r1")
    assert known == Plan("nothing to do", ["worker.register would act on it", "run r1 is taxi version 1 already"])


def test_a_run_that_is_gone_blocks(harness):
    found = planned(harness, "model_version.register", model="taxi", run_id="r9")
    assert (found.state, found.lines[-1]) == ("blocked", "✗ reading run r9: no such run")


@pytest.mark.parametrize(("type_", "where"), [("promotion.request", "target"), ("model_version.transition", "stage")])
def test_a_promotion_is_planned_gate_by_gate(harness, type_, where):
    harness.registry.trained("r1", rmse=9.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    found = planned(harness, type_, model="taxi", version=1, **{where: "Staging"})
    assert (found.state, found.lines[1]) == ("blocked", "✗ rmse 9 is not < 7")


def test_a_vote_would_be_the_replayers(harness):
    found = planned(harness, "promotion.approve", model="taxi", version=1)
    assert (found.state, "a vote of the person who sends it again" in found.lines[-1]) == ("ready", True)


def test_a_registry_that_does_not_answer_is_no_verdict(harness):
    harness.registry.fail["run"] = RetryableError("MLflow does not answer")
    with pytest.raises(RetryableError):
        planned(harness, "training_run.finished", model="taxi", run_id="r1")

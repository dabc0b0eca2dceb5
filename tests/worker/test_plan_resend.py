"""A plan of a replay says what would come of it, and does nothing."""

import pytest

from registrar.events.types import parse
from registrar.ledger.engine import now
from tests.worker.harness import Office
from worker.promotions.plan import Plan, PlanContext
from worker.registry.protocol import RetryableError
from worker.resend_plan import plan_replay


def planned(office: Office, type_: str, **data: object) -> Plan:
    before = list(office.registry.writes)
    found = plan_replay(PlanContext(office.registry, office.bench.policy, office.ledger, now()), parse(type_, data))
    assert before == office.registry.writes
    return found


def test_a_run_that_is_a_version_already_is_nothing_to_do(office):
    office.registry.trained("r1", rmse=9.0)
    new = planned(office, "training_run.finished", model="taxi", run_id="r1")
    assert new == Plan("ready", ["worker.register would act on it", "run r1 would become a new version of taxi"])
    office.post("training_run.finished", model="taxi", run_id="r1")
    known = planned(office, "training_run.finished", model="taxi", run_id="r1")
    assert known == Plan("nothing to do", ["worker.register would act on it", "run r1 is taxi version 1 already"])


def test_a_run_that_is_gone_blocks(office):
    found = planned(office, "model_version.register", model="taxi", run_id="r9")
    assert (found.state, found.lines[-1]) == ("blocked", "✗ reading run r9: no such run")


@pytest.mark.parametrize(("type_", "where"), [("promotion.request", "target"), ("model_version.transition", "stage")])
def test_a_promotion_is_planned_gate_by_gate(office, type_, where):
    office.registry.trained("r1", rmse=9.0)
    office.post("training_run.finished", model="taxi", run_id="r1")
    found = planned(office, type_, model="taxi", version=1, **{where: "Staging"})
    assert (found.state, found.lines[1]) == ("blocked", "✗ rmse 9 is not < 7")


def test_a_vote_would_be_the_replayers(office):
    found = planned(office, "promotion.approve", model="taxi", version=1)
    assert (found.state, "whoever replays it" in found.lines[-1]) == ("ready", True)


def test_a_registry_that_does_not_answer_is_no_verdict(office):
    office.registry.fail["run"] = RetryableError("MLflow does not answer")
    with pytest.raises(RetryableError):
        planned(office, "training_run.finished", model="taxi", run_id="r1")

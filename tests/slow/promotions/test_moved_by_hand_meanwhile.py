"""Approved, and before it is done somebody moves the version there by hand: that excuses it from nothing."""

import pytest

from tests.policies import gate_on_production
from tests.worker.harness import ADA, WorkerHarness
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
WAITS = gate_on_production('{metric: rmse, op: "<", threshold: 7}, {max_per_day: 1}')


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    """Version 1 is in Production; version 2 is approved, waits for tomorrow, and is moved by hand today."""
    harness = WorkerHarness(ledger, tmp_path, policy=WAITS)
    for number, run in enumerate(("r1", "r2"), start=1):
        harness.registry.trained(run, rmse=5.0)
        harness.post("training_run.finished", model="taxi", run_id=run)
        harness.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert harness.promotions()[-1] == (2, "Production", "approved")
    harness.registry.set_stage("taxi", 2, "Production")
    return harness


def test_what_changed_since_is_not_promoted(harness):
    harness.registry.trained("r2", rmse=6.0)
    harness.later(hours=25)
    assert harness.promotions()[-1] == (2, "Production", "superseded")
    assert "a gate's result changed" in harness.fact("promotion.void")
    assert harness.registry.model("taxi").aliases["champion"] == 1


def test_what_is_as_it_was_approved_is_completed(harness):
    harness.later(hours=25)
    assert harness.promotions()[-1] == (2, "Production", "promoted")
    assert harness.stages() == {1: "Archived", 2: "Production"}
    assert harness.registry.model("taxi").aliases["champion"] == 2


def test_what_was_cut_off_on_its_way_is_finished_whatever_changed(harness):
    harness.registry.set_stage("taxi", 2, "Staging")
    harness.registry.fail["set_alias"] = RetryableError("the line is cut")
    harness.later(hours=25)
    harness.registry.trained("r2", rmse=6.0)
    harness.later(minutes=5)
    assert harness.promotions()[-1] == (2, "Production", "promoted")
    assert harness.registry.model("taxi").aliases["champion"] == 2

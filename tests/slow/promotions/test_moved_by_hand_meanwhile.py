"""Approved, and before it is done somebody moves the version there by hand: that excuses it from nothing."""

import pytest

from tests.policies import gate_on_production
from tests.worker.harness import ADA, Office
from worker.registry.protocol import RetryableError

pytestmark = pytest.mark.both_ledgers
WAITS = gate_on_production('{metric: rmse, op: "<", threshold: 7}, {max_per_day: 1}')


@pytest.fixture
def office(ledger, tmp_path) -> Office:
    """Version 1 is in Production; version 2 is approved, waits for tomorrow, and is moved by hand today."""
    office = Office(ledger, tmp_path, policy=WAITS)
    for number, run in enumerate(("r1", "r2"), start=1):
        office.registry.trained(run, rmse=5.0)
        office.post("training_run.finished", model="taxi", run_id=run)
        office.post("promotion.approve", by=ADA, model="taxi", version=number)
    assert office.promotions()[-1] == (2, "Production", "approved")
    office.registry.set_stage("taxi", 2, "Production")
    return office


def test_what_changed_since_is_not_promoted(office):
    office.registry.trained("r2", rmse=6.0)
    office.later(hours=25)
    assert office.promotions()[-1] == (2, "Production", "superseded")
    assert "a gate's result changed" in office.fact("promotion.void")
    assert office.registry.model("taxi").aliases["champion"] == 1


def test_what_is_as_it_was_approved_is_completed(office):
    office.later(hours=25)
    assert office.promotions()[-1] == (2, "Production", "promoted")
    assert office.stages() == {1: "Archived", 2: "Production"}
    assert office.registry.model("taxi").aliases["champion"] == 2


def test_what_was_cut_off_on_its_way_is_finished_whatever_changed(office):
    office.registry.set_stage("taxi", 2, "Staging")
    office.registry.fail["set_alias"] = RetryableError("the line is cut")
    office.later(hours=25)
    office.registry.trained("r2", rmse=6.0)
    office.later(minutes=5)
    assert office.promotions()[-1] == (2, "Production", "promoted")
    assert office.registry.model("taxi").aliases["champion"] == 2

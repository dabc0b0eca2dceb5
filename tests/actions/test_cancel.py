"""A request can be taken back while it is open, and by nobody who has nothing to say about it."""

import pytest

from tests.worker.harness import ADA, CI, EVE

pytestmark = pytest.mark.both_ledgers


def asked(office) -> None:
    office.registry.trained("r1", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r1")


def cancel(office, by=ADA, **data) -> str:
    return office.post("promotion.cancel", by=by, model="taxi", version=1, **data)


@pytest.mark.parametrize("who", [ADA, CI])
def test_who_may_approve_or_asked_for_it_may_cancel_it(office, who):
    asked(office)
    cancel(office, by=who, reason="wrong data")
    assert office.promotions()[-1] == (1, "Production", "cancelled")
    assert office.fact("promotion.cancelled").endswith(f"was cancelled by {who.name}: wrong data")
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert "is cancelled already" in office.fact("promotion.vote_refused")
    assert office.stages() == {1: "Staging"}


def test_it_may_be_asked_for_again(office):
    asked(office)
    cancel(office)
    office.post("promotion.request", by=EVE, model="taxi", version=1, target="Production")
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert office.stages() == {1: "Production"}


def test_nobody_else_may(office):
    asked(office)
    cancel(office, by=EVE)
    assert "Eve may not cancel taxi version 1 to Production" in office.fact("task.refused")
    assert office.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_what_is_not_open_can_not_be_cancelled(office):
    asked(office)
    office.post("promotion.approve", by=ADA, model="taxi", version=1)
    cancel(office)
    assert "nothing to cancel: no promotion of taxi version 1 to Production is open" in office.fact("task.refused")
    assert office.stages() == {1: "Production"}


def test_the_promotion_that_is_named_is_the_one_that_is_meant(office):
    asked(office)
    cancel(office, target="Staging", promotion="prm_" + "0" * 32)
    assert "nothing to cancel" in office.fact("task.refused")

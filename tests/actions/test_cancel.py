"""A request can be taken back while it is open, and by nobody who has nothing to say about it."""

import pytest

from tests.worker.harness import ADA, CI, EVE

pytestmark = pytest.mark.both_ledgers


def open_request(harness) -> None:
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")


def cancel(harness, by=ADA, **data) -> str:
    return harness.post("promotion.cancel", by=by, model="taxi", version=1, **data)


@pytest.mark.parametrize("who", [ADA, CI])
def test_who_may_approve_or_asked_for_it_may_cancel_it(harness, who):
    open_request(harness)
    cancel(harness, by=who, reason="wrong data")
    assert harness.promotions()[-1] == (1, "Production", "cancelled")
    assert harness.fact("promotion.cancelled").endswith(f"was cancelled by {who.name}: wrong data")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert "is cancelled already" in harness.fact("promotion.vote_refused")
    assert harness.stages() == {1: "Staging"}


def test_it_may_be_asked_for_again(harness):
    open_request(harness)
    cancel(harness)
    harness.post("promotion.request", by=EVE, model="taxi", version=1, target="Production")
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.stages() == {1: "Production"}


def test_nobody_else_may(harness):
    open_request(harness)
    cancel(harness, by=EVE)
    assert "Eve may not cancel taxi version 1 to Production" in harness.fact("task.refused")
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def test_what_is_not_open_can_not_be_cancelled(harness):
    open_request(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    cancel(harness)
    assert "nothing to cancel: no promotion of taxi version 1 to Production is open" in harness.fact("task.refused")
    assert harness.stages() == {1: "Production"}


def test_the_promotion_that_is_named_is_the_one_that_is_meant(harness):
    open_request(harness)
    cancel(harness, target="Staging", promotion="prm_" + "0" * 32)
    assert "nothing to cancel" in harness.fact("task.refused")

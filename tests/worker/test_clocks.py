"""Clocks that jump, and clocks of two workers that differ: what was written last is what counts, whatever they say."""

from datetime import timedelta

import pytest

from registrar.events.outcome import Cause
from registrar.ledger.promotions import PromotionRequested, latest
from tests.worker.harness import ADA, WorkerHarness

JUMPS = [timedelta(hours=-3), timedelta(0), timedelta(hours=3)]
pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def harness(ledger, tmp_path) -> WorkerHarness:
    harness = WorkerHarness(ledger, tmp_path)
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")
    return harness


def ask(harness: WorkerHarness) -> str:
    return harness.post("promotion.request", model="taxi", version=1, target="Production")


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_vote_is_about_what_was_asked_for_last(harness, jump):
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="not yet")
    harness.jump(jump)
    ask(harness)
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.holding()["Production"] == [1]
    assert sorted(state for _, target, state in harness.promotions() if target == "Production") == [
        "promoted",
        "rejected",
    ]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_what_is_open_is_not_asked_for_again(harness, jump):
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="not yet")
    harness.jump(jump)
    ask(harness)
    again = ask(harness)
    assert harness.tasks_of(again) == [("request", "succeeded")]
    assert [state for _, target, state in harness.promotions() if target == "Production"].count(
        "awaiting_approval"
    ) == 1


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_the_latest_is_the_one_that_was_written_last_though_one_event_asked_for_both(harness, jump):
    """As a task does that is tried again after what it asked for has ended."""
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="not yet")
    event = ask(harness)
    harness.post("promotion.cancel", by=ADA, model="taxi", version=1)
    with harness.ledger.write() as connection:
        opened = PromotionRequested("taxi", 1, "Production", {})
        opened.apply(connection, Cause(event, "source:ci", "ci", harness.now() + jump))
        assert latest(connection, "taxi", 1, "Production").id == opened.id


def test_what_the_ledger_refuses_is_an_error_of_the_task_and_not_its_workers_death(harness, monkeypatch):
    """The lane goes on after the usual attempts, each of which looks at everything afresh."""
    harness.post("promotion.reject", by=ADA, model="taxi", version=1, reason="not yet")
    ask(harness)
    monkeypatch.setattr("worker.actions.request.latest", lambda *_: None)
    event = ask(harness)
    assert harness.tasks_of(event) == [("request", "queued")]
    harness.until_nothing_waits()
    assert harness.tasks_of(event) == [("request", "dead")]
    harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    assert harness.holding()["Production"] == [1]

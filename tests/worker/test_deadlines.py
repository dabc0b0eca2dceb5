"""What is due stays due until it was done: however early, often or vainly the scheduler asked for it before."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from registrar.ledger.tables import events
from tests.policies import approval, gate_on_production
from tests.worker.harness import ADA, POLICY, WorkerHarness
from worker import scheduler
from worker.actions import review

SOAK = gate_on_production("{soak: 24h}")
EXPIRES = approval("{rules: [{group: leads}], expires_after: 24h}")
REMINDS = approval("{rules: [{group: leads}], remind_every: 24h}")
LIVE = "deploy: {to: [log], confirm_within: 24h}"
DEPLOYS = POLICY.replace("approval: {rules: [{group: leads}]}", "approval: {rules: [{group: leads}]}, " + LIVE)
AHEAD = [timedelta(seconds=121), timedelta(hours=1), timedelta(hours=24), timedelta(days=400)]
pytestmark = pytest.mark.both_ledgers


@pytest.fixture
def harness(ledger, tmp_path, request) -> WorkerHarness:
    return WorkerHarness(ledger, tmp_path)


def train(harness: WorkerHarness) -> None:
    harness.registry.trained("r1", rmse=5.0)
    harness.post("training_run.finished", model="taxi", run_id="r1")


def soaks(harness: WorkerHarness) -> bool:
    return harness.promotions()[-1] == (1, "Production", "awaiting_approval")


def expires(harness: WorkerHarness) -> bool:
    return harness.promotions()[-1] == (1, "Production", "expired")


def reminds(harness: WorkerHarness) -> bool:
    return "promotion.reminder" in [kind for kind, _ in harness.facts()]


def times_out(harness: WorkerHarness) -> bool:
    return "deployment.timed_out" in [kind for kind, _ in harness.facts()]


DUE = {soaks: SOAK, expires: EXPIRES, reminds: REMINDS, times_out: DEPLOYS}


def begun(harness: WorkerHarness, done) -> None:
    """A day later it is due."""
    harness.policy(DUE[done])
    train(harness)
    if done is times_out:
        harness.post("promotion.approve", by=ADA, model="taxi", version=1)


def tick(harness: WorkerHarness, *, ahead: timedelta) -> None:
    """Of a worker whose clock goes wrong; another one does the work."""
    scheduler.tick(harness.ledger, harness.context.inbox, harness.context.policy, harness.now() + ahead)
    harness.work()


def reviewed(harness: WorkerHarness) -> int:
    with harness.ledger.read() as connection:
        query = select(func.count()).select_from(events).where(events.c.type == "model.review")
        return connection.execute(query).scalar_one()


@pytest.mark.parametrize("ahead", AHEAD, ids=str)
@pytest.mark.parametrize("done", DUE, ids=lambda done: done.__name__)
def test_a_tick_ahead_of_time_does_not_spend_it(harness, done, ahead):
    begun(harness, done)
    harness.jump(max(timedelta(), timedelta(hours=24) - ahead))
    tick(harness, ahead=ahead)
    tick(harness, ahead=ahead)
    assert not done(harness)
    harness.later(hours=24)
    harness.later(minutes=1)
    assert done(harness)


@pytest.mark.parametrize("done", DUE, ids=lambda done: done.__name__)
def test_a_review_that_died_is_no_end_of_what_is_due(harness, done, monkeypatch):
    begun(harness, done)
    with monkeypatch.context() as broken:
        broken.setattr(review, "still_open", lambda *_, **__: 1 / 0)
        harness.later(hours=24)
        harness.until_nothing_waits()
    assert not done(harness)
    harness.later(minutes=15)
    assert done(harness)


def test_a_clock_ahead_has_it_looked_at_less_and_less_often(harness):
    """An hour of ticks every five seconds; and what it had looked at in vain is done soon after it is due."""
    begun(harness, soaks)
    harness.jump(timedelta(hours=23))
    for _ in range(900):
        harness.jump(timedelta(seconds=5))
        tick(harness, ahead=timedelta(hours=1))
    assert reviewed(harness) < 20
    assert soaks(harness)


def test_what_is_under_way_is_not_asked_for_again(harness):
    begun(harness, soaks)
    harness.jump(timedelta(hours=25))
    for _ in range(3):
        scheduler.tick(harness.ledger, harness.context.inbox, harness.context.policy, harness.now())
        harness.jump(timedelta(minutes=20))
    assert reviewed(harness) == 1
    harness.work()
    assert soaks(harness)
    harness.later(hours=1)
    assert reviewed(harness) == 1

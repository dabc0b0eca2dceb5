"""What is due stays due until it was done: however early, often or vainly the scheduler asked for it before."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from registrar.ledger.tables import events
from tests.policies import approval, gate_on_production
from tests.worker.harness import ADA, POLICY, Office
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
def office(ledger, tmp_path, request) -> Office:
    return Office(ledger, tmp_path)


def train(office: Office) -> None:
    office.registry.trained("r1", rmse=5.0)
    office.post("training_run.finished", model="taxi", run_id="r1")


def soaks(office: Office) -> bool:
    return office.promotions()[-1] == (1, "Production", "awaiting_approval")


def expires(office: Office) -> bool:
    return office.promotions()[-1] == (1, "Production", "expired")


def reminds(office: Office) -> bool:
    return "promotion.reminder" in [kind for kind, _ in office.facts()]


def times_out(office: Office) -> bool:
    return "deployment.timed_out" in [kind for kind, _ in office.facts()]


DUE = {soaks: SOAK, expires: EXPIRES, reminds: REMINDS, times_out: DEPLOYS}


def begun(office: Office, done) -> None:
    """A day later it is due."""
    office.policy(DUE[done])
    train(office)
    if done is times_out:
        office.post("promotion.approve", by=ADA, model="taxi", version=1)


def tick(office: Office, *, ahead: timedelta) -> None:
    """Of a worker whose clock goes wrong; another one does the work."""
    scheduler.tick(office.ledger, office.bench.inbox, office.bench.policy, office.now() + ahead)
    office.work()


def reviewed(office: Office) -> int:
    with office.ledger.read() as connection:
        query = select(func.count()).select_from(events).where(events.c.type == "model.review")
        return connection.execute(query).scalar_one()


@pytest.mark.parametrize("ahead", AHEAD, ids=str)
@pytest.mark.parametrize("done", DUE, ids=lambda done: done.__name__)
def test_a_tick_ahead_of_time_does_not_spend_it(office, done, ahead):
    begun(office, done)
    office.jump(max(timedelta(), timedelta(hours=24) - ahead))
    tick(office, ahead=ahead)
    tick(office, ahead=ahead)
    assert not done(office)
    office.later(hours=24)
    office.later(minutes=1)
    assert done(office)


@pytest.mark.parametrize("done", DUE, ids=lambda done: done.__name__)
def test_a_review_that_died_is_no_end_of_what_is_due(office, done, monkeypatch):
    begun(office, done)
    with monkeypatch.context() as broken:
        broken.setattr(review, "still_open", lambda *_, **__: 1 / 0)
        office.later(hours=24)
        office.until_nothing_waits()
    assert not done(office)
    office.later(minutes=15)
    assert done(office)


def test_a_clock_ahead_has_it_looked_at_less_and_less_often(office):
    """An hour of ticks every five seconds; and what it had looked at in vain is done soon after it is due."""
    begun(office, soaks)
    office.jump(timedelta(hours=23))
    for _ in range(900):
        office.jump(timedelta(seconds=5))
        tick(office, ahead=timedelta(hours=1))
    assert reviewed(office) < 20
    assert soaks(office)


def test_what_is_under_way_is_not_asked_for_again(office):
    begun(office, soaks)
    office.jump(timedelta(hours=25))
    for _ in range(3):
        scheduler.tick(office.ledger, office.bench.inbox, office.bench.policy, office.now())
        office.jump(timedelta(minutes=20))
    assert reviewed(office) == 1
    office.work()
    assert soaks(office)
    office.later(hours=1)
    assert reviewed(office) == 1

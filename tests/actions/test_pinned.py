"""An act means what its author saw: it is bound to what was there when it was accepted, and never does for the next."""

import pytest
from sqlalchemy import select, update

from registrar.ledger.promotions import latest
from registrar.ledger.queries import event_status
from registrar.ledger.tables import promotions, tasks
from tests.policies import approval, gate_on_production
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, WorkerHarness
from worker.registry.protocol import RetryableError

GATE = gate_on_production('{metric: rmse, op: "<", threshold: 6}')
DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")
pytestmark = pytest.mark.both_ledgers


def train(harness: WorkerHarness, run: str = "r1", rmse: float = 5.0) -> None:
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run)


def say(harness: WorkerHarness, verdict: str, by=ADA, version: int = 1, **data) -> str:
    """Accepted, and not yet worked on."""
    return harness.accept(f"promotion.{verdict}", by=by, model="taxi", version=version, **data)


def error(harness: WorkerHarness, event: str) -> str:
    with harness.ledger.read() as connection:
        return (event_status.event(connection, event) or {})["tasks"][0]["error"]


def newest(harness: WorkerHarness):
    with harness.ledger.read() as connection:
        return latest(connection, "taxi", 1, "Production")


def changed(harness: WorkerHarness) -> None:
    harness.policy(GATE)
    train(harness)
    harness.registry.trained("r1", rmse=5.5)


def test_of_two_approvals_in_a_row_the_second_does_not_count_for_what_the_first_had_asked_for_anew(harness):
    changed(harness)
    say(harness, "approve")
    say(harness, "approve", BOB)
    harness.work()
    assert harness.stages() == {1: "Staging"}
    assert newest(harness).state == "awaiting_approval"
    assert [counted for _, _, counted in harness.votes()] == [False, False]
    said = harness.fact("promotion.vote_refused")
    assert "was asked for after Bob said so" in said
    assert "a gate's result changed" in said


@pytest.mark.parametrize("pin", [True, False])
@pytest.mark.parametrize(
    ("verdict", "by", "data"),
    [
        ("reject", BOB, {"reason": "no"}),
        ("approve", EVE, {"break_glass": True, "reason": "hurry"}),
        ("approve", BOB, {}),
    ],
)
def test_nor_does_any_other_word(harness, verdict, by, data, pin):
    glass = GATE.replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]").replace(
        "{rules: [{group: leads}]}", "{rules: [{group: leads}], break_glass: {group: oncall}}"
    )
    harness.policy(glass)
    train(harness)
    harness.registry.trained("r1", rmse=5.5)
    say(harness, "approve")
    say(harness, verdict, by, **data, **({"promotion": newest(harness).id} if pin else {}))
    harness.work()
    assert (harness.stages(), newest(harness).state) == ({1: "Staging"}, "awaiting_approval")
    assert harness.votes()[-1] == (by.id, verdict, False)
    assert "a gate's result changed" in harness.fact("promotion.vote_refused")


def test_nor_a_cancellation(harness):
    changed(harness)
    say(harness, "approve")
    event = say(harness, "cancel", BOB)
    harness.work()
    assert newest(harness).state == "awaiting_approval"
    assert "a gate's result changed" in error(harness, event)


def test_a_word_that_came_before_anybody_asked_is_about_nothing(harness):
    harness.registry.trained("r1", rmse=5.0)
    harness.accept("training_run.finished", by=CI, model="taxi", run_id="r1")
    say(harness, "approve")
    event = say(harness, "cancel", BOB)
    harness.work()
    assert (harness.stages(), newest(harness).state) == ({1: "Staging"}, "awaiting_approval")
    assert "was asked for after Ada said so; look at it" in harness.fact("promotion.vote_refused")
    assert "was asked for after Bob said so" in error(harness, event)


def test_what_is_looked_at_again_after_its_wait_is_shown_anew(harness):
    """The glass may be broken while it waits: for what is seen then."""
    harness.policy(
        POLICY.replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]").replace(
            "approval: {rules: [{group: leads}]}",
            'gates: [{soak: 1h}, {metric: rmse, op: "<", threshold: 6}], '
            "approval: {rules: [{group: leads}], break_glass: {group: oncall}}",
        )
    )
    train(harness)
    assert newest(harness).state == "waiting"
    harness.registry.trained("r1", rmse=5.5)
    harness.later(hours=2)
    asked = newest(harness)
    assert asked.state == "awaiting_approval"
    say(harness, "approve", EVE, break_glass=True, reason="hurry")
    with (
        harness.ledger.write() as connection
    ):  # accepted, then looked at again: as a re-judgement in the lane before it
        shown = {**asked.evidence, "trained_by": "somebody else"}
        connection.execute(update(promotions).where(promotions.c.id == asked.id).values(evidence=shown))
    harness.work()
    assert harness.stages() == {1: "Staging"}
    assert "changed after Eve said so" in harness.fact("promotion.vote_refused")
    with harness.ledger.write() as connection:
        connection.execute(update(promotions).where(promotions.c.id == asked.id).values(evidence=asked.evidence))


def test_two_votes_that_died_are_not_one_about_the_others_request(harness):
    harness.policy(GATE)
    train(harness)
    events = [say(harness, "approve"), say(harness, "approve", BOB)]
    with harness.ledger.write() as connection:
        died = {"state": "dead", "finished_at": harness.now(), "error": "it was away"}
        connection.execute(update(tasks).where(tasks.c.event_id.in_(events)).values(died))
    harness.registry.trained("r1", rmse=5.5)
    with harness.ledger.read() as connection:
        found = connection.execute(select(tasks.c.id).where(tasks.c.event_id.in_(events)).order_by(tasks.c.seq))
        ids = [row.id for row in found]
    harness.post("task.retry", by=CI, model="taxi", task_id=ids[0])
    again = harness.post("task.retry", by=CI, model="taxi", task_id=ids[1])
    assert "was asked for after Bob said so" in error(harness, again)
    assert (harness.stages(), newest(harness).state) == ({1: "Staging"}, "awaiting_approval")


def test_a_replayed_vote_is_about_what_was_there_when_the_replay_was_accepted(harness):
    policy = approval("{rules: [{group: leads, required_approvals: 2}]}", GATE)
    harness.policy(policy.replace("kind: standard,", 'kind: standard, may: [{events: ["*"], models: ["*"]}],'))
    train(harness)
    first = harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    harness.registry.trained("r1", rmse=5.5)
    say(harness, "approve", EVE)
    say(harness, "approve", BOB)
    harness.accept("event.replay", by=ADA, model="taxi", event_id=first)
    harness.work()
    assert newest(harness).state == "awaiting_approval"
    assert not any(counted for who, _, counted in harness.votes()[1:])


def test_a_vote_that_nobody_noted_anything_for_does_not_count(harness):
    """Accepted by a version before this, and still queued when it was replaced."""
    train(harness)
    event = say(harness, "approve")
    with harness.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(args={}))
    harness.work()
    assert "did not record what Ada was shown" in harness.fact("promotion.vote_refused")
    assert harness.stages() == {1: "Staging"}


def test_whoever_votes_in_a_chat_is_answered_still(harness):
    train(harness)
    event = harness.post("promotion.approve", by=ADA, model="taxi", version=1, reply_to="sealed")
    assert ("reply" in dict(harness.tasks_of(event))) is True

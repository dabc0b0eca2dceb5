"""An act means what its author saw: it is bound to what was there when it was accepted, and never does for the next."""

import pytest
from sqlalchemy import select, update

from registrar.ledger.promotions import latest
from registrar.ledger.queries import event_status
from registrar.ledger.tables import promotions, tasks
from tests.policies import approval, gate_on_production
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, Office
from worker.registry.protocol import RetryableError

GATE = gate_on_production('{metric: rmse, op: "<", threshold: 6}')
DOWN = RetryableError("reading run r1: the registry does not answer (ConnectionError)")
pytestmark = pytest.mark.both_ledgers


def train(office: Office, run: str = "r1", rmse: float = 5.0) -> None:
    office.registry.trained(run, rmse=rmse)
    office.post("training_run.finished", model="taxi", run_id=run)


def say(office: Office, verdict: str, by=ADA, version: int = 1, **data) -> str:
    """Accepted, and not yet worked on."""
    return office.accept(f"promotion.{verdict}", by=by, model="taxi", version=version, **data)


def error(office: Office, event: str) -> str:
    with office.ledger.read() as connection:
        return (event_status.event(connection, event) or {})["tasks"][0]["error"]


def newest(office: Office):
    with office.ledger.read() as connection:
        return latest(connection, "taxi", 1, "Production")


def changed(office: Office) -> None:
    office.policy(GATE)
    train(office)
    office.registry.trained("r1", rmse=5.5)


def test_of_two_approvals_in_a_row_the_second_does_not_count_for_what_the_first_had_asked_for_anew(office):
    changed(office)
    say(office, "approve")
    say(office, "approve", BOB)
    office.work()
    assert office.stages() == {1: "Staging"}
    assert newest(office).state == "awaiting_approval"
    assert [counted for _, _, counted in office.votes()] == [False, False]
    said = office.fact("promotion.vote_refused")
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
def test_nor_does_any_other_word(office, verdict, by, data, pin):
    glass = GATE.replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]").replace(
        "{rules: [{group: leads}]}", "{rules: [{group: leads}], break_glass: {group: oncall}}"
    )
    office.policy(glass)
    train(office)
    office.registry.trained("r1", rmse=5.5)
    say(office, "approve")
    say(office, verdict, by, **data, **({"promotion": newest(office).id} if pin else {}))
    office.work()
    assert (office.stages(), newest(office).state) == ({1: "Staging"}, "awaiting_approval")
    assert office.votes()[-1] == (by.id, verdict, False)
    assert "a gate's result changed" in office.fact("promotion.vote_refused")


def test_nor_a_cancellation(office):
    changed(office)
    say(office, "approve")
    event = say(office, "cancel", BOB)
    office.work()
    assert newest(office).state == "awaiting_approval"
    assert "a gate's result changed" in error(office, event)


def test_a_word_that_came_before_anybody_asked_is_about_nothing(office):
    office.registry.trained("r1", rmse=5.0)
    office.accept("training_run.finished", by=CI, model="taxi", run_id="r1")
    say(office, "approve")
    event = say(office, "cancel", BOB)
    office.work()
    assert (office.stages(), newest(office).state) == ({1: "Staging"}, "awaiting_approval")
    assert "was asked for after Ada said so; look at it" in office.fact("promotion.vote_refused")
    assert "was asked for after Bob said so" in error(office, event)


def test_what_is_looked_at_again_after_its_wait_is_shown_anew(office):
    """The glass may be broken while it waits: for what is seen then."""
    office.policy(
        POLICY.replace("leads: [ada, bob]", "leads: [ada, bob]\n  oncall: [eve]").replace(
            "approval: {rules: [{group: leads}]}",
            'gates: [{soak: 1h}, {metric: rmse, op: "<", threshold: 6}], '
            "approval: {rules: [{group: leads}], break_glass: {group: oncall}}",
        )
    )
    train(office)
    assert newest(office).state == "waiting"
    office.registry.trained("r1", rmse=5.5)
    office.later(hours=2)
    asked = newest(office)
    assert asked.state == "awaiting_approval"
    say(office, "approve", EVE, break_glass=True, reason="hurry")
    with office.ledger.write() as connection:  # accepted, then looked at again: as a re-judgement in the lane before it
        shown = {**asked.evidence, "trained_by": "somebody else"}
        connection.execute(update(promotions).where(promotions.c.id == asked.id).values(evidence=shown))
    office.work()
    assert office.stages() == {1: "Staging"}
    assert "changed after Eve said so" in office.fact("promotion.vote_refused")
    with office.ledger.write() as connection:
        connection.execute(update(promotions).where(promotions.c.id == asked.id).values(evidence=asked.evidence))


def test_two_votes_that_died_are_not_one_about_the_others_request(office):
    office.policy(GATE)
    train(office)
    events = [say(office, "approve"), say(office, "approve", BOB)]
    with office.ledger.write() as connection:
        died = {"state": "dead", "finished_at": office.now(), "error": "it was away"}
        connection.execute(update(tasks).where(tasks.c.event_id.in_(events)).values(died))
    office.registry.trained("r1", rmse=5.5)
    with office.ledger.read() as connection:
        found = connection.execute(select(tasks.c.id).where(tasks.c.event_id.in_(events)).order_by(tasks.c.seq))
        ids = [row.id for row in found]
    office.post("task.retry", by=CI, model="taxi", task_id=ids[0])
    again = office.post("task.retry", by=CI, model="taxi", task_id=ids[1])
    assert "was asked for after Bob said so" in error(office, again)
    assert (office.stages(), newest(office).state) == ({1: "Staging"}, "awaiting_approval")


def test_a_replayed_vote_is_about_what_was_there_when_the_replay_was_accepted(office):
    policy = approval("{rules: [{group: leads, required_approvals: 2}]}", GATE)
    office.policy(policy.replace("kind: standard,", 'kind: standard, may: [{events: ["*"], models: ["*"]}],'))
    train(office)
    first = office.post("promotion.approve", by=ADA, model="taxi", version=1)
    office.registry.trained("r1", rmse=5.5)
    say(office, "approve", EVE)
    say(office, "approve", BOB)
    office.accept("event.replay", by=ADA, model="taxi", event_id=first)
    office.work()
    assert newest(office).state == "awaiting_approval"
    assert not any(counted for who, _, counted in office.votes()[1:])


def test_a_vote_that_nobody_noted_anything_for_does_not_count(office):
    """Accepted by a version before this, and still queued when it was replaced."""
    train(office)
    event = say(office, "approve")
    with office.ledger.write() as connection:
        connection.execute(update(tasks).where(tasks.c.event_id == event).values(args={}))
    office.work()
    assert "did not note what Ada was shown" in office.fact("promotion.vote_refused")
    assert office.stages() == {1: "Staging"}


def test_whoever_votes_in_a_chat_is_answered_still(office):
    train(office)
    event = office.post("promotion.approve", by=ADA, model="taxi", version=1, reply_to="sealed")
    assert ("reply" in dict(office.tasks_of(event))) is True

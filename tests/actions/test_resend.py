"""An event is sent again as one of whoever replays it, and judged as such; what was done before is not done twice."""

import pytest
from sqlalchemy import insert, select, update

from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.queries import event_status
from registrar.ledger.tables import events, journal
from registrar.policy.document import WEB
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, WorkerHarness

MAY = "sources:\n  ci: {kind: standard, secrets: [env:CI], may: [{events: [GRANTED], models: [taxi]}],"


@pytest.fixture
def harness(harness):
    grant(harness, '"*"')
    return harness


def grant(harness: WorkerHarness, what: str, policy: str = POLICY) -> None:
    """What the source that all is sent by may send, about taxi."""
    harness.policy(policy.replace("sources:\n  ci: {kind: standard, secrets: [env:CI],", MAY.replace("GRANTED", what)))


def shown(harness: WorkerHarness, event: str) -> dict:
    with harness.ledger.read() as connection:
        return event_status.event(connection, event) or {}


def error(harness: WorkerHarness, event: str) -> str:
    return shown(harness, event)["tasks"][0]["error"]


def replay(harness: WorkerHarness, event: str, *, by: Actor = BOB, **more: object) -> str:
    return harness.post("event.replay", by=by, event_id=event, **{"model": "taxi", **more})


def became(harness: WorkerHarness, asked: str) -> str:
    return shown(harness, asked)["tasks"][0]["outcome"]["facts"][0]["details"]["became"]


def trained(harness: WorkerHarness) -> str:
    harness.registry.trained("r1", rmse=5.0)
    return harness.post("training_run.finished", model="taxi", run_id="r1")


def test_a_registration_that_is_replayed_makes_no_second_version(harness):
    first = trained(harness)
    asked = replay(harness, first, reason="to be sure")
    second = became(harness, asked)
    assert list(harness.stages()) == [1]
    [task] = shown(harness, second)["tasks"]
    assert task["outcome"]["summary"] == "run r1 is taxi version 1 already; nothing to do"
    assert harness.fact("event.replayed") == (
        f"training_run.finished {first} was sent again as {second}, by Bob: to be sure"
    )


@pytest.mark.both_ledgers
def test_both_say_so_and_the_journal_too(harness):
    first = trained(harness)
    asked = replay(harness, first, reason="to be sure")
    second = became(harness, asked)
    [told] = shown(harness, first)["replays"]
    assert (told["became"], told["event_id"], told["actor"], told["reason"]) == (second, asked, "bob", "to be sure")
    new = shown(harness, second)
    assert (new["replay_of"], new["replays"], new["actor"], new["type"]) == (first, [], "bob", "training_run.finished")
    assert shown(harness, first)["replay_of"] is None
    with harness.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "event.replayed")).all()
    assert (entry.event_id, entry.actor) == (asked, "bob")
    assert first in entry.body
    assert second in entry.body


def test_what_failed_is_done_by_a_replay_when_it_can_be(harness):
    first = harness.post("training_run.finished", model="taxi", run_id="r1")
    assert shown(harness, first)["state"] == "failed"
    harness.registry.trained("r1", rmse=5.0)
    replay(harness, first)
    assert harness.stages() == {1: "Staging"}


@pytest.mark.both_ledgers
def test_a_replayed_vote_is_the_replayers_and_never_the_voters(harness):
    harness.policy(POLICY.replace("{group: leads}", "{group: leads, required_approvals: 2}"))
    grant(harness, '"*"', POLICY.replace("{group: leads}", "{group: leads, required_approvals: 2}"))
    trained(harness)
    vote = harness.post("promotion.approve", by=ADA, model="taxi", version=1)
    replay(harness, vote, by=EVE)
    assert harness.votes() == [("ada", "approve", True), ("eve", "approve", False)]
    assert "Eve may not approve" in harness.fact("promotion.vote_refused")
    assert harness.promotions()[-1] == (1, "Production", "awaiting_approval")
    replay(harness, vote, by=BOB)
    assert harness.votes()[-1] == ("bob", "approve", True)
    assert harness.stages() == {1: "Production"}


@pytest.mark.both_ledgers
def test_a_plan_says_what_would_come_of_it_and_nothing_does(harness):
    first = harness.post("training_run.finished", model="taxi", run_id="r1")
    asked = replay(harness, first, plan=True)
    assert shown(harness, asked)["tasks"][0]["outcome"]["summary"].startswith(
        "training_run.finished by Bob now: blocked\nworker.register would act on it\n✗ "
    )
    harness.registry.trained("r1", rmse=5.0)
    before = list(harness.registry.writes)
    asked = replay(harness, first, plan=True)
    [told] = shown(harness, asked)["tasks"]
    assert told["outcome"]["summary"].splitlines()[1:] == [
        "worker.register would act on it",
        "run r1 would become a new version of taxi",
    ]
    assert shown(harness, first)["replays"] == []
    assert harness.registry.writes == before
    with harness.ledger.read() as connection:
        assert connection.execute(select(journal).where(journal.c.kind == "event.replayed")).all() == []


def test_a_plan_takes_the_same_grants(harness):
    first = trained(harness)
    grant(harness, "event.replay")
    assert "may not send training_run.finished" in error(harness, replay(harness, first, plan=True))


def test_a_source_replays_nothing_that_it_may_not_send_itself(harness):
    first = trained(harness)
    grant(harness, "event.replay, promotion.approve")
    asked = replay(harness, first)
    assert error(harness, asked) == (
        f"{first} can't be replayed by Bob: source ci may not send training_run.finished about taxi; "
        "registrar.yml grants it: event.replay, promotion.approve on taxi. To allow it, add an entry to sources.ci.may"
    )
    assert shown(harness, first)["replays"] == []
    assert "was refused" in harness.fact("task.refused")


@pytest.mark.parametrize("model", ["bus", None])
def test_an_event_of_another_model_does_not_exist_for_whoever_names_theirs(harness, model):
    first = trained(harness)
    asked = replay(harness, first, model=model)
    assert error(harness, asked).startswith(f"there is no event {first} about {model or 'no model'}")


def test_a_replay_is_not_replayed_but_what_it_sent_may_be(harness):
    first = trained(harness)
    asked = replay(harness, first)
    again = replay(harness, asked)
    assert error(harness, again).endswith("event.replay is not replayed: send it again")
    third = became(harness, replay(harness, became(harness, asked)))
    assert shown(harness, third)["replay_of"] == became(harness, asked)


@pytest.mark.edits_the_record
def test_what_this_version_does_not_take_any_more_is_said(harness):
    first = trained(harness)
    with harness.ledger.write() as connection:
        connection.execute(update(events).where(events.c.id == first).values(data={"model": "taxi", "gone": 1}))
    assert "not valid any more for training_run.finished" in error(harness, replay(harness, first))


def test_what_an_operator_replays_on_the_pages_needs_no_grant_of_a_source(harness):
    """Their role was asked for at the door; registrar.yml has no source of that name."""
    first = trained(harness)
    event = Event(parse("event.replay", {"event_id": first, "model": "taxi"}), BOB, harness.now())
    with harness.ledger.write() as connection:
        delivery = Delivery(WEB, "session/bob/1", "0" * 64)
        [(asked, _)] = accept(connection, delivery, [event], at=harness.now()).events
    harness.work()
    again = shown(harness, became(harness, asked))
    assert (again["source"], again["actor"], again["state"]) == ("web", "bob", "succeeded")


@pytest.mark.both_ledgers
def test_a_delivery_id_that_looks_like_a_replays_proves_nothing(harness):
    first = trained(harness)
    asked = replay(harness, first)
    with harness.ledger.write() as connection:
        row = connection.execute(select(events).where(events.c.id == first)).mappings().one()
        forged = {"id": "evt_forged", "source": "other", "delivery_id": f"replay:{asked}"}
        connection.execute(insert(events).values({k: v for k, v in row.items() if k != "seq"} | forged))
    assert shown(harness, "evt_forged")["replay_of"] is None


@pytest.mark.both_ledgers
def test_it_has_its_place_behind_what_was_accepted_before(harness):
    first = trained(harness)
    asked = harness.accept("event.replay", by=CI, event_id=first, model="taxi")
    harness.registry.trained("r2", rmse=5.0)
    behind = harness.accept("training_run.finished", model="taxi", run_id="r2")
    harness.work()
    with harness.ledger.read() as connection:
        seqs = {row.id: row.seq for row in connection.execute(select(events.c.id, events.c.seq))}
    assert seqs[became(harness, asked)] > seqs[behind]
    assert harness.stages() == {1: "Archived", 2: "Staging"}

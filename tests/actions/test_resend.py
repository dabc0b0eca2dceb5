"""An event is sent again as one of whoever replays it, and judged as such; what was done before is not done twice."""

import pytest
from sqlalchemy import insert, select, update

from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger.deliveries import Delivery, accept
from registrar.ledger.queries import event_status
from registrar.ledger.tables import events, journal
from registrar.policy.document import WEB
from tests.worker.harness import ADA, BOB, CI, EVE, POLICY, Office

MAY = "sources:\n  ci: {kind: standard, secrets: [env:CI], may: [{events: [GRANTED], models: [taxi]}],"


@pytest.fixture
def office(office):
    grant(office, '"*"')
    return office


def grant(office: Office, what: str, policy: str = POLICY) -> None:
    """What the source that all is sent by may send, about taxi."""
    office.policy(policy.replace("sources:\n  ci: {kind: standard, secrets: [env:CI],", MAY.replace("GRANTED", what)))


def shown(office: Office, event: str) -> dict:
    with office.ledger.read() as connection:
        return event_status.event(connection, event) or {}


def error(office: Office, event: str) -> str:
    return shown(office, event)["tasks"][0]["error"]


def replay(office: Office, event: str, *, by: Actor = BOB, **more: object) -> str:
    return office.post("event.replay", by=by, event_id=event, **{"model": "taxi", **more})


def became(office: Office, asked: str) -> str:
    return shown(office, asked)["tasks"][0]["outcome"]["facts"][0]["details"]["became"]


def trained(office: Office) -> str:
    office.registry.trained("r1", rmse=5.0)
    return office.post("training_run.finished", model="taxi", run_id="r1")


def test_a_registration_that_is_replayed_makes_no_second_version(office):
    first = trained(office)
    asked = replay(office, first, reason="to be sure")
    second = became(office, asked)
    assert list(office.stages()) == [1]
    [task] = shown(office, second)["tasks"]
    assert task["outcome"]["summary"] == "run r1 is taxi version 1 already; nothing to do"
    assert office.fact("event.replayed") == (
        f"training_run.finished {first} was sent again as {second}, by Bob: to be sure"
    )


@pytest.mark.both_ledgers
def test_both_say_so_and_the_journal_too(office):
    first = trained(office)
    asked = replay(office, first, reason="to be sure")
    second = became(office, asked)
    [told] = shown(office, first)["replays"]
    assert (told["became"], told["event_id"], told["actor"], told["reason"]) == (second, asked, "bob", "to be sure")
    new = shown(office, second)
    assert (new["replay_of"], new["replays"], new["actor"], new["type"]) == (first, [], "bob", "training_run.finished")
    assert shown(office, first)["replay_of"] is None
    with office.ledger.read() as connection:
        [entry] = connection.execute(select(journal).where(journal.c.kind == "event.replayed")).all()
    assert (entry.event_id, entry.actor) == (asked, "bob")
    assert first in entry.body
    assert second in entry.body


def test_what_failed_is_done_by_a_replay_when_it_can_be(office):
    first = office.post("training_run.finished", model="taxi", run_id="r1")
    assert shown(office, first)["state"] == "failed"
    office.registry.trained("r1", rmse=5.0)
    replay(office, first)
    assert office.stages() == {1: "Staging"}


@pytest.mark.both_ledgers
def test_a_replayed_vote_is_the_replayers_and_never_the_voters(office):
    office.policy(POLICY.replace("{group: leads}", "{group: leads, required_approvals: 2}"))
    grant(office, '"*"', POLICY.replace("{group: leads}", "{group: leads, required_approvals: 2}"))
    trained(office)
    vote = office.post("promotion.approve", by=ADA, model="taxi", version=1)
    replay(office, vote, by=EVE)
    assert office.votes() == [("ada", "approve", True), ("eve", "approve", False)]
    assert "Eve may not approve" in office.fact("promotion.vote_refused")
    assert office.promotions()[-1] == (1, "Production", "awaiting_approval")
    replay(office, vote, by=BOB)
    assert office.votes()[-1] == ("bob", "approve", True)
    assert office.stages() == {1: "Production"}


@pytest.mark.both_ledgers
def test_a_plan_says_what_would_come_of_it_and_nothing_does(office):
    first = office.post("training_run.finished", model="taxi", run_id="r1")
    asked = replay(office, first, plan=True)
    assert shown(office, asked)["tasks"][0]["outcome"]["summary"].startswith(
        "training_run.finished by Bob now: blocked\nworker.register would act on it\n✗ "
    )
    office.registry.trained("r1", rmse=5.0)
    before = list(office.registry.writes)
    asked = replay(office, first, plan=True)
    [told] = shown(office, asked)["tasks"]
    assert told["outcome"]["summary"].splitlines()[1:] == [
        "worker.register would act on it",
        "run r1 would become a new version of taxi",
    ]
    assert shown(office, first)["replays"] == []
    assert office.registry.writes == before
    with office.ledger.read() as connection:
        assert connection.execute(select(journal).where(journal.c.kind == "event.replayed")).all() == []


def test_a_plan_takes_the_same_grants(office):
    first = trained(office)
    grant(office, "event.replay")
    assert "may not send training_run.finished" in error(office, replay(office, first, plan=True))


def test_a_source_replays_nothing_that_it_may_not_send_itself(office):
    first = trained(office)
    grant(office, "event.replay, promotion.approve")
    asked = replay(office, first)
    assert error(office, asked) == (
        f"{first} can't be replayed by Bob: source ci may not send training_run.finished about taxi; "
        "registrar.yml grants it: event.replay, promotion.approve on taxi. To allow it, add an entry to sources.ci.may"
    )
    assert shown(office, first)["replays"] == []
    assert "was refused" in office.fact("task.refused")


@pytest.mark.parametrize("model", ["bus", None])
def test_an_event_of_another_model_does_not_exist_for_whoever_names_theirs(office, model):
    first = trained(office)
    asked = replay(office, first, model=model)
    assert error(office, asked).startswith(f"there is no event {first} about {model or 'no model'}")


def test_a_replay_is_not_replayed_but_what_it_sent_may_be(office):
    first = trained(office)
    asked = replay(office, first)
    again = replay(office, asked)
    assert error(office, again).endswith("event.replay is not replayed: send it again")
    third = became(office, replay(office, became(office, asked)))
    assert shown(office, third)["replay_of"] == became(office, asked)


@pytest.mark.edits_the_record
def test_what_this_version_does_not_take_any_more_is_said(office):
    first = trained(office)
    with office.ledger.write() as connection:
        connection.execute(update(events).where(events.c.id == first).values(data={"model": "taxi", "gone": 1}))
    assert "not valid any more for training_run.finished" in error(office, replay(office, first))


def test_what_an_operator_replays_on_the_pages_needs_no_grant_of_a_source(office):
    """Their role was asked for at the door; registrar.yml has no source of that name."""
    first = trained(office)
    event = Event(parse("event.replay", {"event_id": first, "model": "taxi"}), BOB, office.now())
    with office.ledger.write() as connection:
        delivery = Delivery(WEB, "session/bob/1", "0" * 64)
        [(asked, _)] = accept(connection, delivery, [event], at=office.now()).events
    office.work()
    again = shown(office, became(office, asked))
    assert (again["source"], again["actor"], again["state"]) == ("web", "bob", "succeeded")


@pytest.mark.both_ledgers
def test_a_delivery_id_that_looks_like_a_replays_proves_nothing(office):
    first = trained(office)
    asked = replay(office, first)
    with office.ledger.write() as connection:
        row = connection.execute(select(events).where(events.c.id == first)).mappings().one()
        forged = {"id": "evt_forged", "source": "other", "delivery_id": f"replay:{asked}"}
        connection.execute(insert(events).values({k: v for k, v in row.items() if k != "seq"} | forged))
    assert shown(office, "evt_forged")["replay_of"] is None


@pytest.mark.both_ledgers
def test_it_has_its_place_behind_what_was_accepted_before(office):
    first = trained(office)
    asked = office.accept("event.replay", by=CI, event_id=first, model="taxi")
    office.registry.trained("r2", rmse=5.0)
    behind = office.accept("training_run.finished", model="taxi", run_id="r2")
    office.work()
    with office.ledger.read() as connection:
        seqs = {row.id: row.seq for row in connection.execute(select(events.c.id, events.c.seq))}
    assert seqs[became(office, asked)] > seqs[behind]
    assert office.stages() == {1: "Archived", 2: "Staging"}

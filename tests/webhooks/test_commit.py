"""The group commit: many requests, one transaction, and an answer of one's own for each."""

from datetime import UTC, datetime
from queue import SimpleQueue

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import DataError

from registrar.event import Actor, Event
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger import accept as module
from registrar.ledger.accept import Arrival, Delivery, DeliveryConflict, accept_all
from registrar.ledger.tables import events, tasks
from registrar.vocabulary import parse
from webhooks.commit import GroupCommit
from webhooks.crew import MOST, Crew

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def finished(run: str = "r1", model: str = "taxi") -> Event:
    return Event(parse("training_run.finished", {"model": model, "run_id": run}), Actor("source:ci", "ci"), NOON)


def delivery(id: str, body: str = "a") -> Delivery:
    return Delivery("ci", id, body * 64)


class Counted:
    """How many transactions were committed on a ledger's engine."""

    def __init__(self, ledger: Ledger) -> None:
        self.commits = 0
        event.listen(ledger.engine, "commit", self._count)

    def _count(self, connection: object) -> None:
        self.commits += 1


def at_once(ledger: Ledger, deliveries: list[tuple[Delivery, list[Event]]]) -> tuple[list, Counted]:
    """The first alone; all others come while it is written, and share the next transactions. Answers, or what was
    raised.
    """
    commit, counted, calls, became = GroupCommit(ledger), Counted(ledger), SimpleQueue(), {}

    def send(number: int) -> bool:
        try:
            became[number] = commit(*deliveries[number], NOON)
        except Exception as error:  # noqa: BLE001 (it is looked at)
            became[number] = error
        return True

    crew = Crew(send, lambda *_: None, lambda call, *given: calls.put((call, given)))
    crew.start()
    for number in range(len(deliveries)):
        crew.begin(number)
        crew.write()
    while len(became) < len(deliveries):
        call, given = calls.get(timeout=60)
        call(*given)
    return [became[number] for number in range(len(deliveries))], counted


def test_those_that_wait_share_a_transaction_and_each_gets_its_own_answer(ledger):
    sent = [(delivery(f"msg_{n}"), [finished(f"r{n}", f"model-{n}")]) for n in range(20)]
    answers, counted = at_once(ledger, sent)
    assert counted.commits == 2
    with ledger.read() as connection:
        rows = connection.execute(select(events.c.delivery_id, events.c.id).order_by(events.c.seq)).all()
        firsts = dict(connection.execute(select(tasks.c.id, tasks.c.event_id)).all())
    assert [row.delivery_id for row in rows] == [f"msg_{n}" for n in range(20)]
    for answer, row in zip(answers, rows, strict=True):
        assert answer.events == [(row.id, "training_run.finished")]
        assert [firsts[bell.task_id] for bell in answer.bells] == [row.id]


def test_a_line_longer_than_a_group_is_worked_off_group_by_group(ledger):
    sent = [(delivery(f"msg_{n}"), [finished(f"r{n}")]) for n in range(MOST + 6)]
    answers, counted = at_once(ledger, sent)
    assert counted.commits == 3
    assert len({answer.events[0][0] for answer in answers}) == MOST + 6


def test_the_same_delivery_twice_in_one_group_is_one_event(ledger):
    other = (delivery("msg_0"), [finished("r0")])
    twice = (delivery("msg_1"), [finished("r1"), finished("r2")])
    answers, _ = at_once(ledger, [other, twice, twice, (delivery("msg_1", "b"), [finished("r3")])])
    assert (answers[1].repeated, answers[2].repeated) == (False, True)
    assert (answers[2].events, answers[2].bells) == (answers[1].events, [])
    assert isinstance(answers[3], DeliveryConflict)
    with ledger.read() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar_one() == 3


def test_a_delivery_of_before_among_new_ones(ledger):
    [before] = accept(ledger, delivery("msg_0"))
    answers, _ = at_once(
        ledger,
        [(delivery("x"), [finished()]), (delivery("msg_0"), [finished()]), (delivery("y"), [finished()])],
    )
    assert [answer.repeated for answer in answers] == [False, True, False]
    assert answers[1].events == before.events


def test_what_the_database_can_not_take_of_one_is_not_the_end_of_the_others(ledger):
    """A value that no column takes: nothing that a sender can say, but a fault of ours must stay its own."""
    poison = Event(finished().data, Actor("source:ci", object()), NOON)
    sent = [
        (delivery(name), [poison if name == "poison" else finished(name)]) for name in ("first", "a", "poison", "b")
    ]
    answers, _ = at_once(ledger, sent)
    assert [type(answer).__name__ for answer in answers[:2]] == ["Receipt", "Receipt"]
    assert isinstance(answers[2], Exception)
    assert type(answers[3]).__name__ == "Receipt"
    with ledger.read() as connection:
        kept = list(connection.execute(select(events.c.delivery_id).order_by(events.c.seq)).scalars())
    assert kept == ["first", "a", "b"]


def test_a_ledger_that_is_away_is_said_to_each_and_the_next_is_taken(ledger, monkeypatch):
    commit, fails = GroupCommit(ledger), [True]
    write = ledger.write

    def away():
        if fails:
            raise LedgerUnavailable("gone", "does not answer")
        return write()

    monkeypatch.setattr(ledger, "write", away)
    with pytest.raises(LedgerUnavailable, match="gone"):
        commit(delivery("msg_1"), [finished()], NOON)
    fails.clear()
    assert commit(delivery("msg_1"), [finished()], NOON).repeated is False


def test_an_event_written_by_another_process_meanwhile_is_answered_with_that_one(ledger, monkeypatch):
    """On PostgreSQL another may commit between our look and our write."""
    [theirs] = accept(ledger, delivery("msg_1"))
    looks, earlier = [], module._earlier

    def blind_at_first(connection, deliveries):
        looks.append(deliveries)
        return {} if len(looks) == 1 else earlier(connection, deliveries)

    monkeypatch.setattr(module, "_earlier", blind_at_first)
    [ours, new] = accept(ledger, delivery("msg_1"), delivery("msg_2"))
    assert (ours.events, ours.repeated, ours.bells) == (theirs.events, True, [])
    assert (new.repeated, len(new.bells)) == (False, 1)


@pytest.mark.parametrize("id", ["a\0b", "\0", "1e3", 'a"b\\u0000', "é 漢"])
def test_a_repetition_is_found_whatever_its_id(ledger, id):
    if "\0" in id and ledger.engine.dialect.name == "postgresql":
        with pytest.raises(DataError):
            accept(ledger, delivery(id))
        return
    [first], [again] = accept(ledger, delivery(id)), accept(ledger, delivery(id))
    assert (again.repeated, again.events) == (True, first.events)


def test_what_is_there_and_can_not_be_found_ends(ledger, monkeypatch):
    accept(ledger, delivery("msg_1"))
    monkeypatch.setattr(module, "_earlier", lambda *_: {})
    with pytest.raises(RuntimeError, match="can't be found"):
        accept(ledger, delivery("msg_1"))


def accept(ledger: Ledger, *deliveries: Delivery):
    with ledger.write() as connection:
        return accept_all(connection, [Arrival(each, [finished()], NOON) for each in deliveries])

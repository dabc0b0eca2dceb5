"""The one way in: on disk before the receipt, many in one transaction, and nobody who submits waits."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DataError

from registrar.events.event import Actor, Event
from registrar.events.types import parse
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger import capacity as capacity_module
from registrar.ledger import deliveries as module
from registrar.ledger import inbox as inbox_module
from registrar.ledger.act_subjects import load_pins
from registrar.ledger.capacity import LEAST_FREE, Capacity, DiskFull, NoCapacity
from registrar.ledger.deliveries import Arrival, DeliveryConflict, Receipt, accept_all, add
from registrar.ledger.event_rows import Delivery
from registrar.ledger.group_commit import LARGEST_GROUP
from registrar.ledger.inbox import Inbox, Submission
from registrar.ledger.lane_priority import Rank
from registrar.ledger.promotions import PromotionRequested, get
from registrar.ledger.tables import events, tasks
from registrar.policy.load import parse as parse_policy
from registrar.telemetry import tracing
from tests.ledger.chain import EVIDENCE, scene

pytestmark = pytest.mark.both_ledgers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICY = """
version: 1
sources:
  ci: {kind: standard, secrets: [env:CI], max_unfinished: 2, may: [{events: ["*"], models: ["*"]}]}
"""


def finished(run: str = "r1", model: str = "taxi") -> Event:
    return Event(parse("training_run.finished", {"model": model, "run_id": run}), Actor("source:ci", "ci"), NOON)


def delivery(id: str, body: str = "a") -> Delivery:
    return Delivery("ci", id, body * 64)


def submission(id: str, *given: Event, body: str = "a") -> Submission:
    return Submission(delivery(id, body), given or [finished()], NOON, entrance="webhook ci")


class Counted:
    """How many transactions were committed on a ledger's engine."""

    def __init__(self, ledger: Ledger) -> None:
        self.commits = 0
        event.listen(ledger.engine, "commit", self._count)

    def _count(self, connection: object) -> None:
        self.commits += 1


class Gate:
    """A dispatcher that keeps the writer waiting until it is opened, and remembers what was dispatched."""

    def __init__(self, *, open: bool = True) -> None:
        self.entered, self._open, self.task_messages = threading.Event(), threading.Event(), []
        if open:
            self.open()

    def open(self) -> None:
        self._open.set()

    def __call__(self, task_messages) -> None:
        self.task_messages += task_messages
        self.entered.set()
        assert self._open.wait(30)


def outcome(future: Future[Receipt]) -> Receipt | Exception:
    return future.exception(timeout=60) or future.result()


def at_once(ledger: Ledger, sent: list[Submission]) -> tuple[list, Counted]:
    """The first alone; all others come while it is written, and share the next transactions. Receipts, or errors."""
    counted, gate = Counted(ledger), Gate(open=False)
    inbox = Inbox(ledger, gate)
    futures = [inbox.submit(sent[0])]
    assert gate.entered.wait(30)
    futures += [inbox.submit(one) for one in sent[1:]]
    gate.open()
    became = [outcome(future) for future in futures]
    inbox.close()
    return became, counted


@contextmanager
def locked(ledger: Ledger) -> Iterator[None]:
    """Another connection writes, and does not end."""
    with closing(Ledger(ledger.engine.url)) as other, other.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE events IN SHARE MODE"))
        yield


def test_those_that_wait_share_a_transaction_and_each_gets_its_own_answer(ledger):
    sent = [submission(f"msg_{n}", finished(f"r{n}", f"model-{n}")) for n in range(20)]
    answers, counted = at_once(ledger, sent)
    assert counted.commits == 2
    with ledger.read() as connection:
        rows = connection.execute(select(events.c.delivery_id, events.c.id).order_by(events.c.seq)).all()
        firsts = dict(connection.execute(select(tasks.c.id, tasks.c.event_id)).all())
    assert [row.delivery_id for row in rows] == [f"msg_{n}" for n in range(20)]
    for answer, row in zip(answers, rows, strict=True):
        assert answer.events == [(row.id, "training_run.finished")]
        assert [firsts[task_message.task_id] for task_message in answer.task_messages] == [row.id]


def test_a_line_longer_than_a_group_is_worked_off_group_by_group(ledger):
    answers, counted = at_once(ledger, [submission(f"msg_{n}", finished(f"r{n}")) for n in range(LARGEST_GROUP + 6)])
    assert counted.commits == 3
    assert len({answer.events[0][0] for answer in answers}) == LARGEST_GROUP + 6


def test_the_same_delivery_twice_in_one_group_is_one_event(ledger):
    twice = [submission("msg_1", finished("r1"), finished("r2")) for _ in range(2)]
    answers, _ = at_once(ledger, [submission("msg_0"), *twice, submission("msg_1", finished("r3"), body="b")])
    assert (answers[1].repeated, answers[2].repeated) == (False, True)
    assert (answers[2].events, answers[2].task_messages) == (answers[1].events, [])
    assert isinstance(answers[3], DeliveryConflict)
    assert count(ledger) == 3


def count(ledger: Ledger) -> int:
    with ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(events)).scalar_one()


def test_a_delivery_of_before_among_new_ones(ledger):
    [before] = accept(ledger, delivery("msg_0"))
    answers, _ = at_once(ledger, [submission("x"), submission("msg_0"), submission("y")])
    assert [answer.repeated for answer in answers] == [False, True, False]
    assert answers[1].events == before.events


def test_what_the_database_can_not_take_of_one_is_not_the_end_of_the_others(ledger):
    """A value that no column takes: nothing that a sender can say, but a fault of ours must stay its own."""
    poison = Event(finished().data, Actor("source:ci", object()), NOON)
    sent = [submission(name, poison if name == "poison" else finished(name)) for name in ("first", "a", "poison", "b")]
    answers, _ = at_once(ledger, sent)
    assert [type(answer).__name__ for answer in answers[:2]] == ["Receipt", "Receipt"]
    assert isinstance(answers[2], Exception)
    assert type(answers[3]).__name__ == "Receipt"
    with ledger.read() as connection:
        kept = list(connection.execute(select(events.c.delivery_id).order_by(events.c.seq)).scalars())
    assert kept == ["first", "a", "b"]


def test_a_ledger_that_is_away_is_said_to_each_and_the_next_is_taken(ledger, monkeypatch):
    with closing(Inbox(ledger, Gate())) as inbox:
        with monkeypatch.context() as away:
            away.setattr(ledger, "written", _gone)
            futures = [inbox.submit(submission(id)) for id in ("msg_1", "msg_2")]
            said = [outcome(future) for future in futures]
        assert [(type(one), str(one), one.reason) for one in said] == [(LedgerUnavailable, "gone", "is away")] * 2
        assert said[0] is not said[1], "an error has one traceback"
        assert outcome(inbox.submit(submission("msg_1"))).repeated is False


def _gone(write):
    raise LedgerUnavailable("gone", "is away")


def test_nobody_who_submits_waits_for_the_ledger(ledger):
    with closing(Inbox(ledger, Gate())) as inbox:
        with locked(ledger):
            futures = [inbox.submit(submission(f"msg_{n}")) for n in range(20)]
            # Who had waited would have an answer: that it got no turn.
            assert not any(future.done() for future in futures)
        assert all(isinstance(outcome(future), Receipt) for future in futures)
    assert count(ledger) == 20


def test_nobody_can_cancel_what_they_submitted(ledger):
    """A sender that hangs up is no reason to lose an event: it might have been told by another attempt."""

    async def hangs_up() -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(future))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with closing(Inbox(ledger, Gate())) as inbox:
        with locked(ledger):
            future = inbox.submit(submission("msg_1"))
            assert not future.cancel()
            asyncio.run(hangs_up())
        assert isinstance(outcome(future), Receipt)
        assert isinstance(outcome(inbox.submit(submission("msg_2"))), Receipt)
    assert count(ledger) == 2


@pytest.mark.parametrize("part", ["dispatch", "count"])
def test_a_fault_after_the_commit_does_not_take_the_answer(ledger, caplog, part):
    def breaks(*_: object) -> None:
        raise RuntimeError("nobody foresaw it")

    given = {"dispatch": Gate(), "count": lambda *_: None} | {part: breaks}
    with closing(Inbox(ledger, **given)) as inbox:
        assert isinstance(outcome(inbox.submit(submission("msg_1"))), Receipt)
        assert outcome(inbox.submit(submission("msg_1"))).repeated
    assert "nobody foresaw it" in caplog.text
    assert "accepted, and not dispatched or counted" in caplog.text


def test_what_is_accepted_is_dispatched_counted_and_logged_once_it_is_on_disk(ledger, caplog):
    told, gate = [], Gate()
    with caplog.at_level("INFO"), closing(Inbox(ledger, gate, count=lambda *about: told.append(about))) as inbox:
        first, again = (outcome(inbox.submit(submission("msg_1"))) for _ in range(2))
    assert gate.task_messages == first.task_messages
    assert told == [("ci", first), ("ci", again)]
    records = [record for record in caplog.records if record.name == inbox_module.__name__]
    id_ = first.events[0][0]
    assert [record.getMessage() for record in records] == [
        f"accepted training_run.finished {id_} from ci by source:ci",
        f"repeated training_run.finished {id_} from ci by source:ci",
    ]
    about = {"event": id_, "type": "training_run.finished", "source": "ci"}
    assert [record.about for record in records] == [about, about]


def test_a_repetition_that_a_later_version_reads_otherwise_is_answered_without_a_fault(ledger, caplog):
    with closing(Inbox(ledger, Gate())) as inbox:
        first = outcome(inbox.submit(submission("msg_1")))
        assert outcome(inbox.submit(submission("msg_1", finished(), finished("r2")))).events == first.events
    assert "not dispatched" not in caplog.text


def test_what_is_accepted_is_traced_once(ledger, monkeypatch):
    traced = []
    monkeypatch.setattr(tracing, "on", lambda: True)
    monkeypatch.setattr(tracing, "accepted", lambda *about, **more: traced.append((about, more)))
    sent = replace(submission("msg_1", finished(), decision("reject")), began=7, traceparent="00-a-b-01")
    with closing(Inbox(ledger, Gate())) as inbox:
        first, _ = (outcome(inbox.submit(sent)) for _ in range(2))
    [(about, more)] = traced
    attributes = {"registrar.source": "ci", "registrar.type": "training_run.finished"}
    assert about == ("webhook ci", [id for id, _ in first.events], attributes)
    assert (more["began"], more["sender"], set(more)) == (7, "00-a-b-01", {"began", "ended", "sender"})


def test_closing_writes_what_waits(ledger):
    gate = Gate(open=False)
    inbox = Inbox(ledger, gate)
    futures = [inbox.submit(submission(f"msg_{n}")) for n in range(LARGEST_GROUP * 2)]
    gate.open()
    inbox.close()
    assert all(future.done() for future in futures)
    assert count(ledger) == LARGEST_GROUP * 2


# With a bound on what is not done yet.


@pytest.fixture
def bounded(ledger) -> Iterator[tuple[Inbox, Capacity]]:
    capacity = Capacity(ledger, parse_policy(POLICY))
    with closing(Inbox(ledger, Gate(), capacity=capacity)) as inbox:
        yield inbox, capacity


def test_after_a_quiet_time_one_waits_for_new_counts_and_not_who_submits(bounded, monkeypatch):
    inbox, _ = bounded
    counts = Slow(monkeypatch)
    futures = [inbox.submit(submission(f"msg_{n}")) for n in range(4)]
    assert counts.asked.wait(30)
    assert not any(future.done() for future in futures)
    counts.go.set()
    assert [type(outcome(future)) for future in futures] == [Receipt, Receipt, NoCapacity, NoCapacity]


def test_a_busy_one_decides_by_the_last_counts_while_new_ones_are_taken(bounded, monkeypatch):
    inbox, capacity = bounded
    monkeypatch.setattr(capacity_module, "FRESH", 0.0)
    monkeypatch.setattr(capacity_module, "_SHARE", 0)
    capacity.refresh()
    counts = Slow(monkeypatch)
    assert isinstance(outcome(inbox.submit(submission("msg_1"))), Receipt)
    assert counts.asked.wait(30)
    counts.go.set()


class Slow:
    """Counting takes until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.go, counted = threading.Event(), threading.Event(), capacity_module.unfinished

        def unfinished(connection):
            self.asked.set()
            assert self.go.wait(30)
            return counted(connection)

        monkeypatch.setattr(capacity_module, "unfinished", unfinished)


def test_when_full_it_is_refused_and_a_repetition_is_answered_as_ever(bounded, ledger):
    inbox, _ = bounded
    first = outcome(inbox.submit(submission("msg_1")))
    outcome(inbox.submit(submission("msg_2")))
    assert isinstance(outcome(inbox.submit(submission("msg_3"))), NoCapacity)
    again = outcome(inbox.submit(submission("msg_1")))
    assert (again.events, again.repeated) == (first.events, True)
    assert isinstance(outcome(inbox.submit(submission("msg_1", body="b"))), DeliveryConflict)
    assert count(ledger) == 2


def test_the_last_of_the_disk_is_kept(bounded, monkeypatch):
    inbox, _ = bounded
    monkeypatch.setattr(capacity_module, "free_bytes", lambda ledger: LEAST_FREE - 1)
    assert isinstance(outcome(inbox.submit(submission("msg_1"))), DiskFull)


def test_a_ledger_that_can_not_be_asked_is_said_and_not_asked_again_at_once(bounded, monkeypatch):
    inbox, asked = bounded[0], []

    def away(connection):
        asked.append(connection)
        raise LedgerUnavailable("gone", "is away")

    with monkeypatch.context() as broken:
        broken.setattr(capacity_module, "unfinished", away)
        broken.setattr(capacity_module, "FRESH", 3600.0)
        said = [outcome(inbox.submit(submission(f"msg_{n}"))) for n in range(5)]
    assert [type(one) for one in said] == [LedgerUnavailable] * 5
    assert len(asked) == 1
    monkeypatch.setattr(capacity_module, "FRESH", 0.0)
    assert isinstance(outcome(inbox.submit(submission("msg_1"))), Receipt)


# The same on the ledger's side.


def test_an_event_written_by_another_process_meanwhile_is_answered_with_that_one(ledger, monkeypatch):
    """On PostgreSQL another may commit between our look and our write."""
    [theirs] = accept(ledger, delivery("msg_1"))
    looks, earlier = [], module._load_known

    def blind_at_first(connection, deliveries):
        looks.append(deliveries)
        return {} if len(looks) == 1 else earlier(connection, deliveries)

    monkeypatch.setattr(module, "_load_known", blind_at_first)
    [ours, new] = accept(ledger, delivery("msg_1"), delivery("msg_2"))
    assert (ours.events, ours.repeated, ours.task_messages) == (theirs.events, True, [])
    assert (new.repeated, len(new.task_messages)) == (False, 1)


@pytest.mark.parametrize("id", ["a\0b", "\0", "1e3", 'a"b\\u0000', "é 漢"])
def test_a_repetition_is_found_whatever_its_id(ledger, id):
    if "\0" in id and ledger.engine.dialect.name == "postgresql":
        with pytest.raises(DataError):
            accept(ledger, delivery(id))
        return
    [first], [again] = accept(ledger, delivery(id)), accept(ledger, delivery(id))
    assert (again.repeated, again.events) == (True, first.events)


def test_new_deliveries_take_two_statements_however_many_they_are(ledger):
    statements = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *about: statements.append(about[2]))
    with ledger.write() as connection:
        statements.clear()
        accept_all(connection, [Arrival(delivery(f"msg_{n}"), [finished()], NOON) for n in range(5)])
        assert len(statements) == 2


def test_what_is_there_and_can_not_be_found_ends(ledger, monkeypatch):
    accept(ledger, delivery("msg_1"))
    looks = []
    monkeypatch.setattr(module, "_load_known", lambda _, deliveries: looks.append(deliveries) or {})
    with pytest.raises(RuntimeError, match="can't be found"):
        accept(ledger, delivery("msg_1"))
    assert len(looks) == 2, "one time more than there are deliveries"


def decision(kind: str) -> Event:
    data = parse(f"promotion.{kind}", {"model": "taxi", "version": 1, "target": "Production"})
    return Event(data, Actor("bob", "Bob"), NOON)


def by_delivery(ledger: Ledger, id: str, given: Event) -> str:
    """Among others of the same delivery. Returns the id of its task."""
    with ledger.write() as connection:
        [receipt] = accept_all(connection, [Arrival(delivery(id), [finished(), given, finished()], NOON)])
    return receipt.task_messages[1].task_id


def by_itself(ledger: Ledger, id: str, given: Event) -> str:
    with ledger.write() as connection:
        pins = load_pins(connection, given.type, given.data.model_dump())
        message = add(connection, delivery(id), given, id=f"evt_{id}", pins=pins, at=NOON)
    assert message.name == given.data.task
    return message.task_id


@pytest.mark.parametrize("submit", [by_delivery, by_itself])
def test_a_decision_is_bound_to_what_it_is_about_and_overtakes_no_earlier_one(ledger, submit):
    scene(ledger).write(PromotionRequested("taxi", 1, "Production", EVIDENCE, id="prm_1"))
    ids = [submit(ledger, id, decision(kind)) for id, kind in (("1", "reject"), ("2", "approve"), ("3", "reject"))]
    with ledger.read() as connection:
        rows = {row.id: row for row in connection.execute(select(tasks)).all()}
        about = get(connection, "prm_1")
    pins = {"promotion": "prm_1", "state": "awaiting_approval", "evidence": about.digest}
    assert [rows[id].args for id in ids] == [{"pinned": pins}] * 3
    assert [rows[id].rank for id in ids] == [Rank.REJECTION, Rank.ORDINARY, Rank.ORDINARY]
    others = [row for row in rows.values() if row.id not in ids]
    assert {(str(row.args), row.rank) for row in others} == {("{}", Rank.ORDINARY)}


@pytest.mark.parametrize(
    ("given", "pins", "args"),
    [
        (finished(), {}, {}),
        (finished(), {"told": 7}, {"pinned": {"told": 7}}),
        (decision("cancel"), {}, {"pinned": {}}),
    ],
)
def test_an_event_that_is_added_alone_is_written_with_its_first_task(ledger, given, pins, args):
    accept(ledger, delivery("msg_1"))
    with ledger.write() as connection:
        message = add(connection, delivery("msg_2"), given, id="evt_2", pins=pins, at=NOON)
        written = connection.execute(select(events).where(events.c.id == "evt_2")).one()
        task = connection.execute(select(tasks).where(tasks.c.id == message.task_id)).one()
    assert (written.source, written.delivery_id, written.position) == ("ci", "msg_2", 0)
    assert (written.type, written.accepted_at, written.seq) == (given.type, NOON, 2)
    assert (task.event_id, task.event_seq, task.name) == ("evt_2", 2, message.name)
    assert (task.lane, task.not_before, task.args, task.rank) == ("model:taxi", NOON, args, Rank.ORDINARY)


def test_what_comes_after_closing_is_answered(ledger: Ledger):
    for bounds in (None, Capacity(ledger, parse_policy(POLICY))):
        opened = Inbox(ledger, lambda task_messages: None, capacity=bounds)
        opened.close()
        refused = opened.submit(submission("msg_0")).exception(60)
        assert isinstance(refused, LedgerUnavailable)
        assert (str(refused), refused.reason) == ("this process ends", "is not written any more")


def test_a_thread_that_could_not_start_is_tried_again(ledger: Ledger, monkeypatch):
    opened, starts = Inbox(ledger, lambda task_messages: None), threading.Thread.start
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", lambda thread: (_ for _ in ()).throw(RuntimeError("no more threads")))
        with pytest.raises(RuntimeError):
            opened.submit(submission("msg_0"))
    assert threading.Thread.start is starts
    assert opened.submit(submission("msg_0")).result(60).events


def test_a_fault_while_looking_is_an_answer_and_not_a_wait_for_ever(ledger: Ledger, monkeypatch):
    opened = Inbox(ledger, lambda task_messages: None, capacity=Capacity(ledger, parse_policy(POLICY)))
    monkeypatch.setattr(capacity_module, "unfinished", lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        opened.submit(submission("msg_0")).result(60)
    monkeypatch.undo()
    assert opened.submit(submission("msg_0")).result(60).events


def accept(ledger: Ledger, *deliveries: Delivery):
    with ledger.write() as connection:
        return accept_all(connection, [Arrival(each, [finished()], NOON) for each in deliveries])

"""Accept deliveries: write their events and first tasks in one commit, or return the first receipt again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import CompoundSelect, Connection, and_, bindparam, delete, insert, select, union_all, update

from registrar.broker.task_message import TaskMessage
from registrar.events.event import Event
from registrar.ledger import act_subjects
from registrar.ledger import lane_priority as ranks
from registrar.ledger.event_rows import (
    FIRST_TASKS,
    NEW_EVENTS,
    Delivery,
    DeliveryKey,
    event_row,
    first_task_row,
    new_id,
)
from registrar.ledger.tables import archived, events, tasks

# Events of known deliveries of a source. Built once, as SQLAlchemy takes longer for that than SQLite to run it.
# One source at a time, for the index: with (source, delivery_id) IN (...) SQLite reads all events, PostgreSQL all of
# the source. One statement has one view: an event that is archived meanwhile is found in one of the two tables.
_EARLIER: CompoundSelect[Any] = union_all(
    *(
        select(table.c.delivery_id, table.c.position, id_, table.c.type, table.c.body_sha256).where(
            and_(
                table.c.source == bindparam("source"),
                table.c.delivery_id.in_(bindparam("ids", expanding=True)),
            )
        )
        for table, id_ in ((events, events.c.id), (archived, archived.c.event_id))
    )
)


class DeliveryConflict(ValueError):
    """The delivery id was used before, with another body."""


class _Written(NamedTuple):
    """An event in the ledger, or in an archive file."""

    id: str
    type: str
    body_sha256: str


@dataclass(frozen=True)
class Receipt:
    """What was accepted: (event id, event type) in the delivery's order. task_messages: to publish after the commit."""

    events: list[tuple[str, str]]
    task_messages: list[TaskMessage]
    repeated: bool = False


Answer: TypeAlias = Receipt | DeliveryConflict


@dataclass(frozen=True)
class Arrival:
    """A delivery with its events. at: the time of acceptance."""

    delivery: Delivery
    events: Sequence[Event]
    at: datetime


def accept(connection: Connection, delivery: Delivery, accepted: Sequence[Event], *, at: datetime) -> Receipt:
    """Write a delivery, or return the receipt of an earlier one with the same id. Raises DeliveryConflict."""
    [answer] = accept_all(connection, [Arrival(delivery, accepted, at)])
    if isinstance(answer, DeliveryConflict):
        raise answer
    return answer


def accept_all(connection: Connection, arrivals: Sequence[Arrival]) -> list[Answer]:
    """Write deliveries together, each as `accept` would. Returns their answers in the same order."""
    return prepare(arrivals, connection.dialect.name)(connection)


def prepare(arrivals: Sequence[Arrival], dialect: str) -> Callable[[Connection], list[Answer]]:
    """Return a function that does `accept_all`. All work without the database is done before, without its lock.

    If all deliveries are new, two statements are left, however many they are. dialect: sqlite or postgresql.
    """
    batch = _Batch(arrivals, dialect)
    may_be_new = all(arrival.events for arrival in arrivals)

    def write(connection: Connection) -> list[Answer]:
        if may_be_new and batch.written(connection):
            return [*batch.receipts]
        return _write_unknown(connection, arrivals)

    return write


class _Batch:
    """Deliveries that may be new, and the receipts that they get if they are."""

    def __init__(self, arrivals: Sequence[Arrival], dialect: str) -> None:
        self.receipts: list[Receipt] = []
        event_rows, task_rows = [], []
        self._acts: list[tuple[str, str, Mapping[str, Any]]] = []
        for arrival in arrivals:
            receipt = Receipt([], [])
            for position, event in enumerate(arrival.events):
                event_rows.append(event_row(arrival.delivery, event, id=new_id(), position=position, at=arrival.at))
                task_rows.append(first_task_row(event, event_id=event_rows[-1]["id"], at=arrival.at))
                receipt.events.append((event_rows[-1]["id"], event.type))
                receipt.task_messages.append(TaskMessage(task_rows[-1]["id"], event.data.task))
                if event.type in act_subjects.ACTS:
                    self._acts.append((task_rows[-1]["id"], event.type, event_rows[-1]["data"]))
            self.receipts.append(receipt)
        self._ids = [row["id"] for row in event_rows]
        self._events = NEW_EVENTS.ready(event_rows, dialect)
        self._tasks = FIRST_TASKS.ready(task_rows, dialect)

    def written(self, connection: Connection) -> bool:
        """Write all of them, or nothing where not all are new. Returns whether it wrote them."""
        if self._events.run(connection) < len(self._ids):
            connection.execute(delete(events).where(events.c.id.in_(self._ids)))
            return False
        self._tasks.run(connection)
        for act in self._acts:
            _pin_first_task(connection, *act)
        return True


def _pin_first_task(connection: Connection, task_id: str, type_: str, data: Mapping[str, Any]) -> None:
    """Store the pins and the rank of a decision with its first task, in the commit that accepts it."""
    mine = tasks.c.id == task_id
    lane, seq = connection.execute(select(tasks.c.lane, tasks.c.event_seq).where(mine)).one()
    pins = act_subjects.load_pins(connection, type_, data)
    rank = ranks.rank_of_event(connection, type_, pins, lane=lane, seq=seq)
    connection.execute(update(tasks).where(mine).values(args={act_subjects.KEY: pins}, rank=rank))


def _write_unknown(connection: Connection, arrivals: Sequence[Arrival]) -> list[Answer]:
    """Accept deliveries of which some are in the ledger already, or are the same.

    On PostgreSQL another process may commit one of them between read and write; the next round finds it.
    """
    for _ in range(len(arrivals) + 1):
        known_events = _load_known(connection, [arrival.delivery for arrival in arrivals])
        fresh: dict[DeliveryKey, Arrival] = {}
        for arrival in arrivals:
            if arrival.delivery.key not in known_events:
                fresh.setdefault(arrival.delivery.key, arrival)
        batch = _Batch(list(fresh.values()), connection.dialect.name)
        if batch.written(connection):
            written = dict(zip(fresh, batch.receipts, strict=True))
            return [_answer(arrival, fresh, written, known_events) for arrival in arrivals]
    raise RuntimeError("a delivery is there and can't be found")


def _answer(
    arrival: Arrival,
    fresh: Mapping[DeliveryKey, Arrival],
    written: Mapping[DeliveryKey, Receipt],
    known_events: Mapping[DeliveryKey, Sequence[_Written]],
) -> Answer:
    key = arrival.delivery.key
    if key in known_events:
        return _repeated(arrival.delivery, known_events[key])
    if fresh[key] is arrival:
        return written[key]
    digest = fresh[key].delivery.body_sha256  # two of the same in one batch
    return _repeated(arrival.delivery, [_Written(id_, type_, digest) for id_, type_ in written[key].events])


def known(connection: Connection, delivery: Delivery) -> Receipt | None:
    """Return the first receipt of a delivery that was accepted before, else None. Raises DeliveryConflict."""
    known_events = _load_known(connection, [delivery])
    answer = _repeated(delivery, known_events[delivery.key]) if known_events else None
    if isinstance(answer, DeliveryConflict):
        raise answer
    return answer


def _load_known(connection: Connection, deliveries: Sequence[Delivery]) -> dict[DeliveryKey, list[_Written]]:
    """Return the events of those deliveries that are known already, in order."""
    events_by_key: dict[DeliveryKey, list[_Written]] = {}
    for source in {delivery.source for delivery in deliveries}:
        ids = [delivery.id for delivery in deliveries if delivery.source == source]
        for delivery_id, _, *event in sorted(connection.execute(_EARLIER, {"source": source, "ids": ids}).all()):
            events_by_key.setdefault((source, delivery_id), []).append(_Written(*event))
    return events_by_key


def _repeated(delivery: Delivery, known_events: Sequence[_Written]) -> Answer:
    if any(event.body_sha256 != delivery.body_sha256 for event in known_events):
        return DeliveryConflict(
            f"delivery id {delivery.id!r} was used before with another body; use a new id for a new event"
        )
    return Receipt([(event.id, event.type) for event in known_events], [], repeated=True)


def add(
    connection: Connection,
    delivery: Delivery,
    event: Event,
    *,
    id: str,
    pins: Mapping[str, Any],
    at: datetime,
) -> TaskMessage:
    """Write one event with its first task. Returns the message to publish. Raises IntegrityError for a known delivery.

    pins: from act_subjects.load_pins and resend_pins.
    """
    row = event_row(delivery, event, id=id, position=0, at=at)
    seq = connection.execute(insert(events).values(row).returning(events.c.seq)).scalar_one()
    task_row = first_task_row(event, event_id=id, at=at)
    if pins or event.type in act_subjects.ACTS:
        task_row |= {"args": {act_subjects.KEY: dict(pins)}}
    if event.type in act_subjects.ACTS:
        task_row |= {"rank": ranks.rank_of_event(connection, event.type, pins, lane=task_row["lane"], seq=seq)}
    connection.execute(insert(tasks).values(task_row | {"event_seq": seq}))
    return TaskMessage(task_row["id"], event.data.task)

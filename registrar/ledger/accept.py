"""Accepting a delivery: its events and their first tasks, or the first answer again, in one commit."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import JSON, CompoundSelect, Connection, and_, bindparam, column, insert, select, text, union_all
from sqlalchemy.dialects import postgresql, sqlite

from registrar.event import Event
from registrar.ledger.tables import archived, events, tasks
from registrar.ledger.tasks import RING_AGAIN
from registrar.ledger.tasks import new_id as new_task_id
from registrar.queue import Bell

_Key: TypeAlias = tuple[str, str]  # source and delivery id

# What is asked and written for each delivery is put together once: SQLAlchemy takes longer for that than SQLite for
# the answer.
#
# Of a source, those of some delivery ids that the ledger has. By the index: for (source, delivery_id) IN (...) SQLite
# reads all events, PostgreSQL all of the source. One statement has one view: what is moved into an archive meanwhile
# is seen in one of the two places.
EARLIER: CompoundSelect[Any] = union_all(
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
# Events, but for those of a delivery that is there.
_NEW = postgresql.insert(events).on_conflict_do_nothing().returning(events.c.id, events.c.seq)
# With each row that SQLite hands over, the thread gives its turn away and waits for it again: here it hands over one.
_NEW_SQLITE = sqlite.insert(events).on_conflict_do_nothing()
_SEQS_SQLITE = text(
    "SELECT json_group_object(id, seq) FROM events WHERE id IN (SELECT value FROM json_each(:ids))"
).columns(column("seqs", JSON))
_FIRST_TASKS = insert(tasks)


class DeliveryConflict(ValueError):
    """A delivery id that was used before, now with another body: which one is meant?"""


@dataclass(frozen=True)
class Delivery:
    """One verified request. id: the sender's delivery id. body_sha256: hex."""

    source: str
    id: str
    body_sha256: str

    @property
    def key(self) -> _Key:
        return (self.source, self.id)


class _Written(NamedTuple):
    """An event that the ledger has."""

    id: str
    type: str
    body_sha256: str


@dataclass(frozen=True)
class Receipt:
    """What was accepted: (event id, event type) in the delivery's order; bells to ring after the commit."""

    events: list[tuple[str, str]]
    bells: list[Bell]
    repeated: bool = False


@dataclass(frozen=True)
class Arrival:
    """A delivery with its events. at: when it is accepted."""

    delivery: Delivery
    events: Sequence[Event]
    at: datetime


def accept(connection: Connection, delivery: Delivery, accepted: Sequence[Event], *, at: datetime) -> Receipt:
    """Write a delivery, or find that it was written before. Raises DeliveryConflict."""
    [answer] = accept_all(connection, [Arrival(delivery, accepted, at)])
    if isinstance(answer, DeliveryConflict):
        raise answer
    return answer


def accept_all(connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt | DeliveryConflict]:
    """Write deliveries that came at the same time, each as `accept` would: the answers, in their order.

    However many there are, it takes three statements.
    """
    earlier = _earlier(connection, [arrival.delivery for arrival in arrivals])
    fresh: dict[_Key, Arrival] = {}
    for arrival in arrivals:
        if arrival.delivery.key not in earlier:
            fresh.setdefault(arrival.delivery.key, arrival)
    written = _write(connection, list(fresh.values()))
    # Another process committed the same delivery between our look and our write (PostgreSQL only).
    earlier |= _earlier(connection, [fresh[key].delivery for key in fresh.keys() - written.keys()])
    return [_answer(arrival, fresh, written, earlier) for arrival in arrivals]


def _answer(
    arrival: Arrival,
    fresh: Mapping[_Key, Arrival],
    written: Mapping[_Key, Receipt],
    earlier: Mapping[_Key, Sequence[_Written]],
) -> Receipt | DeliveryConflict:
    key = arrival.delivery.key
    if key not in written:
        return _repeated(arrival.delivery, earlier[key])
    if fresh[key] is arrival:
        return written[key]
    digest = fresh[key].delivery.body_sha256  # it came twice in this very moment
    return _repeated(arrival.delivery, [_Written(id_, type_, digest) for id_, type_ in written[key].events])


def known(connection: Connection, delivery: Delivery) -> Receipt | None:
    """The first answer to a delivery that was accepted before, else None. Raises DeliveryConflict."""
    earlier = _earlier(connection, [delivery])
    answer = _repeated(delivery, earlier[delivery.key]) if earlier else None
    if isinstance(answer, DeliveryConflict):
        raise answer
    return answer


def _earlier(connection: Connection, deliveries: Sequence[Delivery]) -> dict[_Key, list[_Written]]:
    """Those of the deliveries that the ledger has: their events, in order."""
    found: dict[_Key, list[_Written]] = {}
    for source in {delivery.source for delivery in deliveries}:
        ids = [delivery.id for delivery in deliveries if delivery.source == source]
        for delivery_id, _, *event in sorted(connection.execute(EARLIER, {"source": source, "ids": ids}).all()):
            found.setdefault((source, delivery_id), []).append(_Written(*event))
    return found


def _repeated(delivery: Delivery, earlier: Sequence[_Written]) -> Receipt | DeliveryConflict:
    if any(one.body_sha256 != delivery.body_sha256 for one in earlier):
        return DeliveryConflict(
            f"delivery id {delivery.id!r} was used before with another body; use a new id for a new event"
        )
    return Receipt([(one.id, one.type) for one in earlier], [], repeated=True)


def new_id() -> str:
    """Of an event: 128 random bits."""
    return f"evt_{os.urandom(16).hex()}"


def _write(connection: Connection, arrivals: Sequence[Arrival]) -> dict[_Key, Receipt]:
    """Those that were not there. What another process has written meanwhile is left out."""
    rows, sent = [], {}
    for arrival in arrivals:
        for position, event in enumerate(arrival.events):
            rows.append(_event(arrival.delivery, event, id=new_id(), position=position, at=arrival.at))
            sent[rows[-1]["id"]] = (arrival, event)
    receipts = {arrival.delivery.key: Receipt([], []) for arrival in arrivals if not arrival.events}
    seqs = _insert_new(connection, rows)
    firsts = []
    for id_, (arrival, event) in sent.items():
        if id_ in seqs:
            firsts.append(_first_task(event, event_id=id_, event_seq=seqs[id_], at=arrival.at))
            receipt = receipts.setdefault(arrival.delivery.key, Receipt([], []))
            receipt.events.append((id_, event.type))
            receipt.bells.append(Bell(firsts[-1]["id"], event.data.task))
    if firsts:
        connection.execute(_FIRST_TASKS, firsts)
    return receipts


def _insert_new(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Rows of events, but for those of a delivery that is there: event_seq by id."""
    if not rows:
        return {}
    if connection.dialect.name != "sqlite":
        return dict(connection.execute(_NEW, rows).all())
    connection.execute(_NEW_SQLITE, rows)
    ids = json.dumps([row["id"] for row in rows])
    seqs: dict[str, int] = connection.execute(_SEQS_SQLITE, {"ids": ids}).scalar_one()
    return seqs


def add(connection: Connection, delivery: Delivery, event: Event, *, id: str, position: int = 0, at: datetime) -> Bell:
    """Write one event with its first task; the bell to ring. Raises IntegrityError for a delivery seen before."""
    row = _event(delivery, event, id=id, position=position, at=at)
    seq = connection.execute(insert(events).values(row).returning(events.c.seq)).scalar_one()
    first = _first_task(event, event_id=id, event_seq=seq, at=at)
    connection.execute(insert(tasks).values(first))
    return Bell(first["id"], event.data.task)


def _event(delivery: Delivery, event: Event, *, id: str, position: int, at: datetime) -> dict[str, Any]:
    return {
        "id": id,
        "source": delivery.source,
        "delivery_id": delivery.id,
        "position": position,
        "body_sha256": delivery.body_sha256,
        "type": event.type,
        "model": event.data.registered_model,
        "actor": event.actor.id,
        "actor_name": event.actor.name,
        "occurred_at": event.occurred_at,
        "accepted_at": at,
        "reply_to": event.reply_to,
        "data": event.data.model_dump(mode="json"),
    }


def _first_task(event: Event, *, event_id: str, event_seq: int, at: datetime) -> dict[str, Any]:
    return {
        "id": new_task_id(),
        "event_id": event_id,
        "event_seq": event_seq,
        "name": event.data.task,
        "lane": event.data.lane(event_id),
        "args": {},
        "state": "queued",
        "not_before": at,
        "ring_at": at + timedelta(seconds=RING_AGAIN),
        "created_at": at,
    }

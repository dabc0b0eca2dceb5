"""Accepting a delivery: its events and their first tasks, or the first answer again, in one commit."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError

from registrar.event import Event
from registrar.ledger.tables import events, tasks
from registrar.ledger.tasks import RING_AGAIN
from registrar.queue import Bell


class DeliveryConflict(ValueError):
    """A delivery id that was used before, now with another body: which one is meant?"""


@dataclass(frozen=True)
class Delivery:
    """One verified request. id: the sender's delivery id. body_sha256: hex."""

    source: str
    id: str
    body_sha256: str


@dataclass(frozen=True)
class Receipt:
    """What was accepted: (event id, event type) in the delivery's order; bells to ring after the commit."""

    events: list[tuple[str, str]]
    bells: list[Bell]
    repeated: bool = False


def accept(connection: Connection, delivery: Delivery, accepted: Sequence[Event], *, at: datetime) -> Receipt:
    """Write a delivery, or find that it was written before. Raises DeliveryConflict."""
    if earlier := known(connection, delivery):
        return earlier
    try:
        with connection.begin_nested():
            written = [_write(connection, delivery, position, event, at) for position, event in enumerate(accepted)]
    except IntegrityError:
        # Another process committed the same delivery between our look and our write (PostgreSQL only).
        return _repeated(delivery, _earlier(connection, delivery))
    return Receipt([receipt for receipt, _ in written], [bell for _, bell in written])


def known(connection: Connection, delivery: Delivery) -> Receipt | None:
    """The first answer to a delivery that was accepted before, else None. Raises DeliveryConflict."""
    return _repeated(delivery, earlier) if (earlier := _earlier(connection, delivery)) else None


def _earlier(connection: Connection, delivery: Delivery) -> Sequence[Row[str, str, str]]:
    same = (events.c.source == delivery.source) & (events.c.delivery_id == delivery.id)
    query = select(events.c.id, events.c.type, events.c.body_sha256).where(same).order_by(events.c.position)
    return connection.execute(query).all()


def _repeated(delivery: Delivery, earlier: Sequence[Row[str, str, str]]) -> Receipt:
    if any(row.body_sha256 != delivery.body_sha256 for row in earlier):
        raise DeliveryConflict(
            f"delivery id {delivery.id!r} was used before with another body; use a new id for a new event"
        )
    return Receipt([(row.id, row.type) for row in earlier], [], repeated=True)


def new_id() -> str:
    """Of an event: 128 random bits."""
    return f"evt_{uuid.uuid4().hex}"


def _write(
    connection: Connection, delivery: Delivery, position: int, event: Event, at: datetime
) -> tuple[tuple[str, str], Bell]:
    event_id = new_id()
    return (event_id, event.type), add(connection, delivery, event, id=event_id, position=position, at=at)


def add(connection: Connection, delivery: Delivery, event: Event, *, id: str, position: int = 0, at: datetime) -> Bell:
    """Write one event with its first task; the bell to ring. Raises IntegrityError for a delivery seen before."""
    task_id = f"tsk_{uuid.uuid4().hex}"
    row = {
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
    seq = connection.execute(insert(events).values(row).returning(events.c.seq)).scalar_one()
    first = {
        "id": task_id,
        "event_id": id,
        "event_seq": seq,
        "name": event.data.task,
        "lane": event.data.lane(id),
        "args": {},
        "state": "queued",
        "not_before": at,
        "ring_at": at + timedelta(seconds=RING_AGAIN),
        "created_at": at,
    }
    connection.execute(insert(tasks).values(first))
    return Bell(task_id, event.data.task)

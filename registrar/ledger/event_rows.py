"""Rows of accepted events and their first tasks."""

import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from registrar.events.event import Event
from registrar.events.states import TaskState
from registrar.ledger import row_ids
from registrar.ledger.bulk_insert import Insert
from registrar.ledger.tables import events, tasks
from registrar.ledger.task_dispatch import REDELIVER_AFTER

DeliveryKey: TypeAlias = tuple[str, str]  # source and delivery id
# Skips events of a delivery that is in the ledger or in an archive file. ON CONFLICT alone won't do: on PostgreSQL, a
# row that is archived while the statement runs does not conflict any more, and is not in its view of `archived` yet.
_IS_NEW = """
NOT EXISTS (SELECT 1 FROM events AS old WHERE old.source = {source} AND old.delivery_id = {delivery_id})
AND NOT EXISTS (SELECT 1 FROM archived AS old WHERE old.source = {source} AND old.delivery_id = {delivery_id})
"""
NEW_EVENTS = Insert(
    events,
    [column.name for column in events.c if column.name not in ("seq", "archive_seq")],
    where=_IS_NEW,
    ending="ON CONFLICT DO NOTHING",
)
FIRST_TASKS = Insert(
    tasks,
    ["id", "event_id", "name", "lane", "args", "state", "not_before", "dispatch_at", "created_at"],
    computed={"event_seq": "(SELECT seq FROM events WHERE id = {event_id})"},
)


@dataclass(frozen=True)
class Delivery:
    """One verified request. id: the sender's delivery id. body_sha256: 64 hexadecimal digits."""

    source: str
    id: str
    body_sha256: str

    @property
    def key(self) -> DeliveryKey:
        return (self.source, self.id)


def new_id() -> str:
    """Return a new event id: seconds, then 96 random bits.

    It must not be guessed, as it opens a status page. The time keeps new ids together in the indexes.
    """
    return f"evt_{int(time.time()):08x}{os.urandom(12).hex()}"


def event_row(delivery: Delivery, event: Event, *, id: str, position: int, at: datetime) -> dict[str, Any]:
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


def first_task_row(event: Event, *, event_id: str, at: datetime) -> dict[str, Any]:
    return {
        "id": row_ids.new_id("tsk"),
        "event_id": event_id,
        "name": event.data.task,
        "lane": event.data.lane(event_id),
        "args": {},
        "state": TaskState.QUEUED,
        "not_before": at,
        "dispatch_at": at + timedelta(seconds=REDELIVER_AFTER),
        "created_at": at,
    }

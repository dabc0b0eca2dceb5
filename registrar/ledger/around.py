"""What stands around an event in the record: its delivery, who came in the same one, and what was written of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select

from registrar.ledger.chain import Head
from registrar.ledger.tables import events, journal, promotions

MOST = 100


@dataclass(frozen=True)
class Entry:
    """Of the journal. said: what it says beside that."""

    seq: int
    at: datetime
    kind: str
    model: str | None
    version: int | None
    event_id: str
    actor_name: str
    said: Mapping[str, Any]

    def __str__(self) -> str:
        about = f"{self.model} version {self.version}" if self.version is not None else str(self.model or "")
        return f"{_SAID[self.kind](about, self.said) if self.kind in _SAID else f'{self.kind}: {about}'}"


@dataclass(frozen=True)
class Around:
    """promotion_ids: those that it asked for. beside: the other events of its delivery, with their types."""

    delivery_id: str
    position: int
    body_sha256: str
    beside: Sequence[tuple[str, str]]
    promotion_ids: Sequence[str]
    entries: Sequence[Entry]


def event(connection: Connection, event_id: str) -> Around | None:
    columns = (events.c.source, events.c.delivery_id, events.c.position, events.c.body_sha256)
    row = connection.execute(select(*columns).where(events.c.id == event_id)).one_or_none()
    if row is None:
        return None
    same = and_(events.c.source == row.source, events.c.delivery_id == row.delivery_id, events.c.id != event_id)
    beside = connection.execute(select(events.c.id, events.c.type).where(same).order_by(events.c.position).limit(MOST))
    asked = connection.execute(select(promotions.c.id).where(promotions.c.event_id == event_id).limit(MOST))
    return Around(
        row.delivery_id,
        row.position,
        row.body_sha256,
        [(other.id, other.type) for other in beside],
        asked.scalars().all(),
        _entries(connection, event_id),
    )


def _entries(connection: Connection, event_id: str) -> list[Entry]:
    query = select(*_entry()).where(journal.c.event_id == event_id).order_by(journal.c.seq).limit(MOST)
    return [_read(row) for row in connection.execute(query)]


def _place(said: Mapping[str, Any]) -> str:
    return f"@{said['key']}" if said.get("kind") == "alias" else str(said.get("key"))


_SAID: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "held": lambda about, said: f"{about} holds {_place(said)}",
    "released": lambda about, said: f"{about} holds {_place(said)} no more",
    "promotion.opened": lambda about, said: f"{about} was asked for {said.get('target')} ({said.get('state')})",
    "promotion.judged": lambda about, said: f"the promotion of {about} is {said.get('state')}",
    "promotion.decided": lambda about, said: f"the promotion of {about} is {said.get('state')}",
    "vote": lambda about, said: f"{said.get('verdict')} {about}: {'counted' if said.get('counted') else 'not counted'}",
    "deployment.requested": lambda about, said: f"{about} is to be deployed to {said.get('target')}",
    "token.created": lambda _, said: f"the API token {said.get('name')} was made, as {said.get('role')}",
    "token.revoked": lambda _, said: f"the API token {said.get('name')} was revoked",
    "deployment.ended": lambda about, said: f"the deployment of {about} is {said.get('state')}",
}


def newest(connection: Connection, *, model: str | None = None, limit: int = MOST) -> list[Entry]:
    """Of the journal, newest first."""
    query = select(*_entry()).order_by(journal.c.seq.desc()).limit(limit)
    if model is not None:
        query = query.where(journal.c.model == model)
    return [_read(row) for row in connection.execute(query)]


def head(connection: Connection) -> Head:
    """The newest entry's number and hash."""
    row = connection.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)).first()
    return Head(*row) if row else Head()


def _entry() -> list[Any]:
    return [journal.c[name] for name in ("seq", "at", "kind", "model", "version", "event_id", "actor_name", "body")]


def _read(row: Any) -> Entry:
    said = json.loads(row.body)["said"]
    return Entry(row.seq, row.at, row.kind, row.model, row.version, row.event_id, row.actor_name, said)

"""The context of an event: its delivery, other events of the same delivery, its journal entries."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select

from registrar.events.states import DeploymentState
from registrar.ledger.journal.append import EntryKind
from registrar.ledger.journal.chain import Head
from registrar.ledger.tables import events, journal, promotions
from registrar.ledger.version_state import Key

MOST = 100
# Of kinds that name no person: the authors of others are those of their events.
_AUTHORS: Mapping[str, str] = {
    EntryKind.CHANGED_BY_HAND: "by hand",
    EntryKind.DRIFT_REVERTED: "Registrar",
    EntryKind.DISPUTED: "Registrar",
}


@dataclass(frozen=True)
class Entry:
    """A journal entry. said: its fields beside the columns."""

    seq: int
    at: datetime
    kind: str
    model: str | None
    version: int | None
    event_id: str
    actor_name: str
    said: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON-able except the time. text: a sentence for people."""
        names = ("seq", "at", "kind", "model", "version", "event_id", "by")
        return {**{name: getattr(self, name) for name in names}, "text": str(self)}

    @property
    def by(self) -> str:
        """The author, for people. A change by hand has no known author: not that of the event that found it."""
        return _AUTHORS.get(self.kind, self.actor_name)

    def __str__(self) -> str:
        about = f"{self.model} version {self.version}" if self.version is not None else str(self.model or "")
        return f"{_SAID[self.kind](about, self.said) if self.kind in _SAID else f'{self.kind}: {about}'}"


@dataclass(frozen=True)
class EventContext:
    """promotion_ids: of promotions that the event requested. beside: (id, type) of the delivery's other events."""

    delivery_id: str
    position: int
    body_sha256: str
    beside: Sequence[tuple[str, str]]
    promotion_ids: Sequence[str]
    entries: Sequence[Entry]


def event(connection: Connection, event_id: str) -> EventContext | None:
    columns = (events.c.source, events.c.delivery_id, events.c.position, events.c.body_sha256)
    row = connection.execute(select(*columns).where(events.c.id == event_id)).one_or_none()
    if row is None:
        return None
    same = and_(events.c.source == row.source, events.c.delivery_id == row.delivery_id, events.c.id != event_id)
    beside = connection.execute(select(events.c.id, events.c.type).where(same).order_by(events.c.position).limit(MOST))
    asked = connection.execute(select(promotions.c.id).where(promotions.c.event_id == event_id).limit(MOST))
    return EventContext(
        row.delivery_id,
        row.position,
        row.body_sha256,
        [(other.id, other.type) for other in beside],
        asked.scalars().all(),
        _entries(connection, event_id),
    )


def _entries(connection: Connection, event_id: str) -> list[Entry]:
    query = select(*columns()).where(journal.c.event_id == event_id).order_by(journal.c.seq).limit(MOST)
    return [parse_entry(row) for row in connection.execute(query)]


def _place(said: Mapping[str, Any]) -> str:
    return f"@{said['key']}" if said.get("kind") == "alias" else str(said.get("key"))


_ENDED = {
    DeploymentState.LIVE: "was confirmed: it is live",
    DeploymentState.FAILED: "failed",
    DeploymentState.TIMED_OUT: "was not confirmed in time",
    DeploymentState.SUPERSEDED: "was superseded by a later one",
}


def _because(reason: object) -> str:
    return f": {reason}" if reason else ""


def _vote(about: str, said: Mapping[str, Any]) -> str:
    what = f"{said.get('verdict')} {about}".strip()
    return f"{what}: counted" if said.get("counted") else f"{what}: did not count{_because(said.get('why'))}"


def _state(about: str, said: Mapping[str, Any]) -> str:
    """Describe a version's state: a quarantine in words, any other by its tag's name."""
    value = said.get("value")
    if said.get("key") == Key.QUARANTINED.value:
        lifted = f"{about} is quarantined no more{_because(said.get('why'))}"
        return f"{about} is quarantined: {value}" if value else lifted
    return f"{about} has {said.get('key')}{_because(value)}" if value else f"{about} has {said.get('key')} no more"


_SAID: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    EntryKind.HELD: lambda about, said: f"{about} holds {_place(said)}",
    EntryKind.RELEASED: lambda about, said: f"{about} holds {_place(said)} no more{_because(said.get('because'))}",
    EntryKind.PROMOTION_OPENED: lambda about, said: f"{about} was asked for {said.get('target')} ({said.get('state')})",
    EntryKind.PROMOTION_REEVALUATED: lambda about, said: f"the promotion of {about} is {said.get('state')}",
    EntryKind.PROMOTION_DECIDED: lambda about, said: (
        f"the promotion of {about} is {said.get('state')}{_because(said.get('reason'))}"
    ),
    EntryKind.VOTE: _vote,
    EntryKind.DEPLOYMENT_REQUESTED: lambda about, said: f"{about} is to be deployed to {said.get('target')}",
    EntryKind.TOKEN_CREATED: lambda _, said: f"the API token {said.get('name')} was made, as {said.get('role')}",
    EntryKind.TOKEN_REVOKED: lambda _, said: f"the API token {said.get('name')} was revoked",
    EntryKind.DEPLOYMENT_ENDED: lambda about, said: (
        f"the deployment of {about} {_ENDED.get(said.get('state', ''), 'ended')}"
    ),
    EntryKind.VERSION_STATE: _state,
    EntryKind.CHANGED_BY_HAND: lambda about, said: str(said.get("text")),
    EntryKind.DRIFT_REVERTED: lambda about, said: str(said.get("text")),
    EntryKind.DISPUTED: lambda about, said: f"{about} is in dispute{_because(said.get('why'))}",
    EntryKind.SETTLED: lambda about, said: f"the dispute about {about} is settled{_because(said.get('how'))}",
}


def newest(connection: Connection, *, model: str | None = None, limit: int = MOST) -> list[Entry]:
    """Return journal entries, newest first."""
    query = select(*columns()).order_by(journal.c.seq.desc()).limit(limit)
    if model is not None:
        query = query.where(journal.c.model == model)
    return [parse_entry(row) for row in connection.execute(query)]


def head(connection: Connection) -> Head:
    """Return the newest entry's seq and hash."""
    row = connection.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)).first()
    return Head(*row) if row else Head()


def columns() -> list[Any]:
    """Return the columns that parse_entry needs."""
    return [journal.c[name] for name in ("seq", "at", "kind", "model", "version", "event_id", "actor_name", "body")]


def parse_entry(row: Any) -> Entry:
    said = json.loads(row.body)["said"]
    return Entry(row.seq, row.at, row.kind, row.model, row.version, row.event_id, row.actor_name, said)

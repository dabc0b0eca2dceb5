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
from registrar.ledger.queries import archived_journal
from registrar.ledger.tables import events, journal, promotions
from registrar.ledger.version_state import Key

MOST = 100
# Entries of a model that are looked at for one version: a long journal must not make its page slow.
_LOOKED_AT = 20_000
# Of kinds that name no person: the authors of others are those of their events.
_AUTHORS: Mapping[str, str] = {
    EntryKind.CHANGED_BY_HAND: "by hand",
    EntryKind.DRIFT_REVERTED: "Registrar",
    EntryKind.DISPUTED: "Registrar",
}


@dataclass(frozen=True)
class Entry:
    """A journal entry. fields: those that its kind adds to the columns."""

    seq: int
    at: datetime
    kind: str
    model: str | None
    version: int | None
    event_id: str
    actor_name: str
    fields: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON-able except the time. text: a sentence for people."""
        names = ("seq", "at", "kind", "model", "version", "event_id", "by")
        return {**{name: getattr(self, name) for name in names}, "text": str(self)}

    @property
    def by(self) -> str:
        """The author, for people. A change by hand has none: the event that found it has another author."""
        return _AUTHORS.get(self.kind, self.actor_name)

    def __str__(self) -> str:
        about = f"{self.model} version {self.version}" if self.version is not None else str(self.model or "")
        return f"{_SENTENCES[self.kind](about, self.fields) if self.kind in _SENTENCES else f'{self.kind}: {about}'}"


@dataclass(frozen=True)
class EventContext:
    """promotion_ids: of promotions that the event requested. beside: (id, type) of the delivery's other events.

    archived_until: the journal's entries up to this one are in archive files, and those of this event may be among
    them; 0: none of them is.
    """

    delivery_id: str
    position: int
    body_sha256: str
    beside: Sequence[tuple[str, str]]
    promotion_ids: Sequence[str]
    entries: Sequence[Entry]
    archived_until: int = 0


def event(connection: Connection, event_id: str) -> EventContext | None:
    columns = [events.c[name] for name in ("source", "delivery_id", "position", "body_sha256", "accepted_at")]
    row = connection.execute(select(*columns).where(events.c.id == event_id)).one_or_none()
    if row is None:
        return None
    same = and_(events.c.source == row.source, events.c.delivery_id == row.delivery_id, events.c.id != event_id)
    beside = connection.execute(select(events.c.id, events.c.type).where(same).order_by(events.c.position).limit(MOST))
    requested = connection.execute(select(promotions.c.id).where(promotions.c.event_id == event_id).limit(MOST))
    return EventContext(
        row.delivery_id,
        row.position,
        row.body_sha256,
        [(other.id, other.type) for other in beside],
        requested.scalars().all(),
        _entries(connection, event_id),
        _archived_until(connection, row.accepted_at),
    )


def _archived_until(connection: Connection, accepted_at: datetime) -> int:
    """Return the last entry that is in a file, if the ledger's own entries begin later than the event; else 0."""
    last = archived_journal.checkpoint(connection).seq
    query = select(journal.c.at).where(journal.c.seq > last).order_by(journal.c.seq).limit(1)
    begins = connection.execute(query).scalar() if last else None
    return last if begins is not None and accepted_at <= begins else 0


def _entries(connection: Connection, event_id: str) -> list[Entry]:
    query = select(*columns()).where(journal.c.event_id == event_id).order_by(journal.c.seq).limit(MOST)
    return [parse_entry(row) for row in connection.execute(query)]


def _held_key(fields: Mapping[str, Any]) -> str:
    return f"@{fields['key']}" if fields.get("kind") == "alias" else str(fields.get("key"))


_ENDED = {
    DeploymentState.LIVE: "was confirmed: it is live",
    DeploymentState.FAILED: "failed",
    DeploymentState.TIMED_OUT: "was not confirmed in time",
    DeploymentState.SUPERSEDED: "was superseded by a later one",
}


def _reason(reason: object) -> str:
    return f": {reason}" if reason else ""


def _vote(about: str, fields: Mapping[str, Any]) -> str:
    what = f"{fields.get('verdict')} {about}".strip()
    return f"{what}: counted" if fields.get("counted") else f"{what}: did not count{_reason(fields.get('why'))}"


def _state(about: str, fields: Mapping[str, Any]) -> str:
    """Describe a version's state: a quarantine in words, any other by its tag's name."""
    value = fields.get("value")
    if fields.get("key") == Key.QUARANTINED.value:
        lifted = f"{about} is quarantined no more{_reason(fields.get('why'))}"
        return f"{about} is quarantined: {value}" if value else lifted
    if fields.get("key") == Key.EVENT.value:
        return f"{about} was registered in MLflow, and taken in by {value}"
    return f"{about} has {fields.get('key')}{_reason(value)}" if value else f"{about} has {fields.get('key')} no more"


_SENTENCES: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    EntryKind.HELD: lambda about, fields: f"{about} holds {_held_key(fields)}",
    EntryKind.RELEASED: lambda about, fields: (
        f"{about} holds {_held_key(fields)} no more{_reason(fields.get('because'))}"
    ),
    EntryKind.PROMOTION_OPENED: lambda about, fields: (
        f"{about} was asked for {fields.get('target')} ({fields.get('state')})"
    ),
    EntryKind.PROMOTION_REEVALUATED: lambda about, fields: f"the promotion of {about} is {fields.get('state')}",
    EntryKind.PROMOTION_DECIDED: lambda about, fields: (
        f"the promotion of {about} is {fields.get('state')}{_reason(fields.get('reason'))}"
    ),
    EntryKind.VOTE: _vote,
    EntryKind.DEPLOYMENT_REQUESTED: lambda about, fields: f"{about} is to be deployed to {fields.get('target')}",
    EntryKind.TOKEN_CREATED: lambda _, fields: f"the API token {fields.get('name')} was made, as {fields.get('role')}",
    EntryKind.TOKEN_REVOKED: lambda _, fields: f"the API token {fields.get('name')} was revoked",
    EntryKind.LINK_CREATED: lambda _, fields: (
        f"{fields.get('name')} was made: it signs {fields.get('person')} in, once, until {fields.get('expires_at')}"
    ),
    EntryKind.LINK_USED: lambda _, fields: (
        f"{fields.get('name')} was used to sign in, from {fields.get('used_from') or 'no address'}"
    ),
    EntryKind.LINK_ENDED: lambda _, fields: f"{fields.get('name')}, or the session that it began, was ended",
    EntryKind.DEPLOYMENT_ENDED: lambda about, fields: (
        f"the deployment of {about} {_ENDED.get(fields.get('state', ''), 'ended')}"
    ),
    EntryKind.VERSION_STATE: _state,
    EntryKind.CHANGED_BY_HAND: lambda about, fields: str(fields.get("text")),
    EntryKind.DRIFT_REVERTED: lambda about, fields: str(fields.get("text")),
    EntryKind.DISPUTED: lambda about, fields: f"{about} is in dispute{_reason(fields.get('why'))}",
    EntryKind.SETTLED: lambda about, fields: f"the dispute about {about} is settled{_reason(fields.get('how'))}",
}


def about_version(connection: Connection, model: str, version: int, *, limit: int = MOST) -> list[Entry]:
    """Return the entries about a version number among the model's newest _LOOKED_AT, newest first."""
    of_model = select(journal.c.seq).where(journal.c.model == model).order_by(journal.c.seq.desc()).limit(_LOOKED_AT)
    matching = and_(journal.c.seq.in_(select(of_model.subquery().c.seq)), journal.c.version == version)
    query = select(*columns()).where(matching).order_by(journal.c.seq.desc()).limit(limit)
    return [parse_entry(row) for row in connection.execute(query)]


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
    fields = json.loads(row.body)["said"]
    return Entry(row.seq, row.at, row.kind, row.model, row.version, row.event_id, row.actor_name, fields)

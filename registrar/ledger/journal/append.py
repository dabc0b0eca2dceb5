"""Append to the journal: one entry per change of the record, chained to the entry before by its hash.

An entry's text is canonical JSON of the whole entry, its number included; its hash is the SHA-256 of the previous
entry's hash and that text. Stored is less (stored.py). docs/how-to/audit.md is for auditors.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Table, and_, func, insert, select, text, true

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.tables import events, journal

# The `previous` of the first entry.
GENESIS = "0" * 64
# Columns of an exported entry; all but the last three are also in the body, beside the entry's fields (`said`).
COLUMNS = tuple(column.name for column in journal.columns)
BODY_COLUMNS = COLUMNS[: COLUMNS.index("body")]
# Stored in place of a value that another entry has.
SAME = ""
_LOCK = 0x4A6F_7572  # any constant: the key of PostgreSQL's advisory lock while appending


class EntryKind(StrEnum):
    """The kinds of journal entries. Those about a promotion begin with "promotion." (rebuild.py)."""

    HELD = "held"
    RELEASED = "released"
    PROMOTION_OPENED = "promotion.opened"
    PROMOTION_REEVALUATED = "promotion.judged"
    PROMOTION_REMINDED = "promotion.told"
    PROMOTION_DECIDED = "promotion.decided"
    VOTE = "vote"
    VERSION_SEEN = "version.seen"
    VERSION_STATE = "version.state"
    DEPLOYMENT_REQUESTED = "deployment.requested"
    DEPLOYMENT_ENDED = "deployment.ended"
    CHANGED_BY_HAND = "registry.changed_by_hand"
    DRIFT_REVERTED = "registry.put_back"
    DISPUTED = "record.disputed"
    SETTLED = "record.settled"
    TASK_RETRIED = "task.retried"
    TASK_DROPPED = "task.dropped"
    EVENT_RESENT = "event.replayed"
    POLICY_USED = "policy.used"
    TOKEN_CREATED = "token.created"  # noqa: S105 (no password)
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 (no password)
    CARRIED_OVER = "carried over"  # what the record held when it got its journal: migration 0003


_LAST = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1).subquery()
# Fields of an event that are in no column of an entry; its body has their SHA-256.
_DIGESTED = ("delivery_id", "position", "model", "occurred_at", "accepted_at", "data")
_FIRST = journal.alias("first")


def first_of_event(column: str, event_id: ColumnElement[str]) -> ScalarSelect[Any]:
    """Return a subquery: a column of the first entry of an event that says what the event's delivery was."""
    about = select(_FIRST.c[column]).where(_FIRST.c.event_id == event_id, _FIRST.c.body_sha256 != SAME)
    # + 0: without statistics, PostgreSQL would look for the first one by reading the journal in its order.
    return about.order_by(_FIRST.c.seq + 0).limit(1).scalar_subquery()


_EVENT = select(
    events.c.type,
    events.c.source,
    events.c.body_sha256,
    *(events.c[name] for name in _DIGESTED),
    _LAST.c.seq,
    _LAST.c.hash,
    *(first_of_event(name, events.c.id).label(f"first_{name}") for name in ("body_sha256", "body")),
)
_EVENT_AND_LAST = _EVENT.select_from(events.outerjoin(_LAST, true()))


def append(
    connection: Connection,
    cause: Cause,
    kind: EntryKind,
    /,
    *,
    model: str | None = None,
    version: int | None = None,
    **fields: Any,
) -> None:
    """Write an entry in the transaction of the change that it records, after a statement that changed a row.

    model: None takes the event's. fields: JSON-able, or times. An entry about a promotion has `promotion_id`, and the
    changed columns under their names: `audit verify` compares those of rebuild.DECIDED.
    """
    _lock(connection)
    event = connection.execute(_EVENT_AND_LAST.where(events.c.id == cause.event_id)).one()
    entry = {
        "at": cause.at,
        "kind": kind.value,
        "model": event.model if model is None else model,
        "version": version,
        "event_id": cause.event_id,
        "event_type": event.type,
        "source": event.source,
        "actor": cause.actor,
        "actor_name": cause.actor_name,
        "body_sha256": event.body_sha256,
    }
    digest = event_digest(dict(event._mapping))
    said_before = (event.first_body_sha256, event_sha256(event.first_body)) == (event.body_sha256, digest)
    about_event = {"event_sha256": digest}
    _chain(connection, entry, {"said": fields}, about_event, (event.seq, event.hash), said_before=said_before)


def append_deed(connection: Connection, actor: Actor, at: datetime, kind: EntryKind, /, **fields: Any) -> None:
    """Append an entry about a command on the ledger's machine, which has no event."""
    _lock(connection)
    last = connection.execute(select(_LAST)).one_or_none()
    entry = {
        "at": at,
        "kind": kind.value,
        "model": None,
        "version": None,
        "event_id": "",
        "event_type": "",
        "source": "",
        "actor": actor.id,
        "actor_name": actor.name,
        "body_sha256": "",
    }
    _chain(connection, entry, {"said": fields}, {}, last or (0, None))


def written(table: Table, kind: EntryKind) -> ColumnElement[int]:
    """Return the seq of the entry of a kind about a row, or 0 for rows older than the journal.

    To sort rows by, in the order of writing, whatever the workers' clocks said. table: has the columns id and event_id.
    """
    about_row = and_(
        journal.c.event_id == table.c.event_id, journal.c.kind == kind, journal.c.body.contains(table.c.id)
    )
    return func.coalesce(select(func.max(journal.c.seq)).where(about_row).correlate(table).scalar_subquery(), 0)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's writers are one at a time already
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _chain(
    connection: Connection,
    entry: dict[str, Any],
    fields: Mapping[str, Any],
    about_event: Mapping[str, Any],
    last: tuple[int | None, str | None],
    *,
    said_before: bool = False,
) -> None:
    """Insert an entry. fields, about_event: what its text has beside the columns. last: seq and hash of the one before.

    said_before: the event's first entry has the same digests.
    """
    seq, previous = (last[0] or 0) + 1, last[1] or GENESIS
    entry = {"seq": seq, **entry}
    hash_ = link(previous, canonical({**entry, **fields, **about_event}))
    stored = {"body": canonical({**fields, **({} if said_before else about_event)}), "previous": SAME, "hash": hash_}
    digest = {"body_sha256": SAME} if said_before else {}
    connection.execute(insert(journal).values(entry | stored | digest))


def event_digest(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the fields of an event that are in no column of an entry. event: a row."""
    return hashlib.sha256(canonical({name: event[name] for name in _DIGESTED}).encode()).hexdigest()


def event_sha256(body: str | None) -> str | None:
    """Return the event_digest that an entry's body says. Old entries have none."""
    fields: Mapping[str, Any] = json.loads(body or "{}")
    return fields.get("event_sha256")


def canonical(value: object) -> str:
    """Return canonical JSON: sorted keys, no blanks, ASCII, times as by `iso`."""
    return _CANONICAL.encode(value)


def link(previous: str, body: str) -> str:
    """Return the hash of an entry. previous: the hash of the entry before, 64 hexadecimal digits."""
    return hashlib.sha256((previous + body).encode()).hexdigest()


def iso(time: object) -> str:
    """2026-11-22T12:00:00.000000+00:00. Raises TypeError for anything but a time."""
    if not isinstance(time, datetime):
        raise TypeError(f"{type(time).__name__} can't be written to the journal")
    return time.astimezone(UTC).isoformat(timespec="microseconds")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=iso)

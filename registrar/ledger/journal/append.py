"""Append to the journal: one entry per change of the record, chained to the entry before by its hash.

An entry's body is canonical JSON text that says all, its own number included; its hash is the SHA-256 of the hash
before it and that text. What is in the other columns is in the body too: they are for queries.
docs/how-to/audit.md is for auditors.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, insert, select, text, true

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.tables import events, journal

# The `previous` of the first entry.
GENESIS = "0" * 64
# Columns of an exported entry; all but the last three are also in the body, beside `said`.
COLUMNS = tuple(column.name for column in journal.columns)
TOLD = COLUMNS[: COLUMNS.index("body")]
_APPENDING = 0x4A6F_7572  # any constant: the key of PostgreSQL's advisory lock while appending


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
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    CARRIED_OVER = "carried over"  # what the record held when it got its journal: migration 0003


_LAST = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1).subquery()
# Fields of an event that are in no column of an entry; the entry has a digest of them.
_REST = ("delivery_id", "position", "model", "occurred_at", "accepted_at", "data")
_EVENT = select(
    events.c.type, events.c.source, events.c.body_sha256, *(events.c[name] for name in _REST), _LAST.c.seq, _LAST.c.hash
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
    **said: Any,
) -> None:
    """Write an entry, in the transaction of the change that it tells of, once that really changed something.

    model: None is the event's. said: JSON-able, or times. An entry about a promotion has a kind that begins with
    "promotion.", says `promotion_id`, and names what changed as the table's columns: `audit verify` compares those of
    replay.DECIDED.
    """
    _take_turns(connection)
    found = connection.execute(_EVENT_AND_LAST.where(events.c.id == cause.event_id)).one()
    entry = {
        "at": cause.at,
        "kind": kind.value,
        "model": found.model if model is None else model,
        "version": version,
        "event_id": cause.event_id,
        "event_type": found.type,
        "source": found.source,
        "actor": cause.actor,
        "actor_name": cause.actor_name,
        "body_sha256": found.body_sha256,
    }
    more = {"said": said, "event_sha256": event_digest(dict(found._mapping))}
    _chain(connection, entry, more, found.seq, found.hash)


def append_deed(connection: Connection, actor: Actor, at: datetime, kind: EntryKind, /, **said: Any) -> None:
    """Append an entry about a command on the ledger's machine, which has no event."""
    _take_turns(connection)
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
    _chain(connection, entry, {"said": said}, *(last or (0, None)))


def written(table: Table, kind: EntryKind) -> ColumnElement[int]:
    """When a row of a table was written, as the number of the entry of that kind that tells of it: rows are in this
    order whatever the clocks of their workers said. 0: before there was a journal.

    table: has the id of the row, and of the event that it came by.
    """
    tells = and_(journal.c.event_id == table.c.event_id, journal.c.kind == kind, journal.c.body.contains(table.c.id))
    return func.coalesce(select(func.max(journal.c.seq)).where(tells).correlate(table).scalar_subquery(), 0)


def _take_turns(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's writers are one at a time already
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPENDING})


def _chain(
    connection: Connection, entry: dict[str, Any], more: dict[str, Any], last: int | None, hash_: str | None
) -> None:
    """more: what its text alone says. last, hash_: of the entry before, if there is one."""
    entry, previous = {"seq": (last or 0) + 1, **entry}, hash_ or GENESIS
    body = canonical({**entry, **more})
    connection.execute(
        insert(journal).values(entry | {"body": body, "previous": previous, "hash": link(previous, body)})
    )


def event_digest(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the fields of an event that are in no column of an entry. event: a row."""
    return hashlib.sha256(canonical({name: event[name] for name in _REST}).encode()).hexdigest()


def canonical(value: object) -> str:
    """Return canonical JSON: sorted keys, no blanks, ASCII, times as by `iso`."""
    return _CANONICAL.encode(value)


def link(previous: str, body: str) -> str:
    """Return the hash of an entry. previous: the hash of the entry before, 64 hexadecimal digits."""
    return hashlib.sha256((previous + body).encode()).hexdigest()


def iso(time: object) -> str:
    """2026-11-22T12:00:00.000000+00:00. Raises TypeError for anything but a time."""
    if not isinstance(time, datetime):
        raise TypeError(f"{type(time).__name__} has no place in the journal")
    return time.astimezone(UTC).isoformat(timespec="microseconds")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=iso)

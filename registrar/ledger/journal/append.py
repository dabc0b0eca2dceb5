"""Append to the journal: one entry per change of the record, chained to the entry before by its hash.

An entry's text is canonical JSON of the whole entry, its number included; its hash is the SHA-256 of the previous
entry's hash and that text. Stored is less (stored.py). docs/how-to/audit.md is for auditors.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, Table, and_, bindparam, func, insert, select, text

from registrar.events.event import Actor
from registrar.events.outcome import Cause
from registrar.ledger.before_commit import defer, flush
from registrar.ledger.tables import archives, events, journal

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
    LINK_CREATED = "link.created"
    LINK_USED = "link.used"
    LINK_ENDED = "link.ended"
    CARRIED_OVER = "carried over"  # what the record held when it got its journal: migration 0003


# Kinds that are looked up however old they are: their entries stay when others go into archive files (migration 0018).
STAYS = (EntryKind.DISPUTED, EntryKind.SETTLED, EntryKind.POLICY_USED)
_LAST = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)
# Fields of an event that are in no column of an entry; its body has their SHA-256.
_DIGESTED = ("delivery_id", "position", "model", "occurred_at", "accepted_at", "data")
_FIRST = journal.alias("first_entry")


def first_of_event(column: str, event_id: ColumnElement[str]) -> ScalarSelect[Any]:
    """Return a subquery: a column of the first entry of an event that says what the event's delivery was."""
    about = select(_FIRST.c[column]).where(_FIRST.c.event_id == event_id, _FIRST.c.body_sha256 != SAME)
    # + 0: without statistics, PostgreSQL would look for the first one by reading the journal in its order.
    return about.order_by(_FIRST.c.seq + 0).limit(1).scalar_subquery()


_EVENTS = select(
    events.c.id,
    events.c.type,
    events.c.source,
    events.c.body_sha256,
    *(events.c[name] for name in _DIGESTED),
    *(first_of_event(name, events.c.id).label(f"first_{name}") for name in ("body_sha256", "body")),
).where(events.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True)
class _Entry:
    """An entry before it is chained. columns: without those about the event. model None: the event's."""

    columns: Mapping[str, Any]
    event_id: str
    fields: Mapping[str, Any]


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
    """Write an entry in the transaction of the change that it records, at its end (before_commit.py).

    model: None takes the event's. fields: JSON-able, or times. An entry about a promotion has `promotion_id`, and the
    changed columns under their names: `audit verify` compares those of rebuild.DECIDED.
    """
    author = {"actor": cause.actor, "actor_name": cause.actor_name}
    columns = {"at": cause.at, "kind": kind.value, "model": model, "version": version, **author}
    defer(connection, _append_all, _Entry(columns, cause.event_id, fields))


def append_deed(connection: Connection, actor: Actor, at: datetime, kind: EntryKind, /, **fields: Any) -> None:
    """Append an entry about a command on the ledger's machine, which has no event."""
    columns = {"at": at, "kind": kind.value, "model": None, "version": None}
    columns |= {"actor": actor.id, "actor_name": actor.name}
    defer(connection, _append_all, _Entry(columns, "", fields))


def written(connection: Connection, table: Table, kind: EntryKind) -> ColumnElement[int]:
    """Return entry_seq for a query of this transaction, with the entries of the rows that it wrote."""
    flush(connection)
    return entry_seq(table, kind)


def entry_seq(table: Table, kind: EntryKind) -> ColumnElement[int]:
    """Return the seq of the entry of a kind about a row, or 0 for rows older than the journal that the ledger has.

    To sort rows by, in the order of writing, whatever the workers' clocks said; those with 0 by their times. table:
    has the columns id and event_id. Flush the connection before the query.
    """
    archived = select(func.coalesce(func.max(archives.c.until_seq), 0)).scalar_subquery()
    about_row = and_(
        journal.c.event_id == table.c.event_id,
        journal.c.kind == kind,
        journal.c.body.contains(table.c.id),
        journal.c.seq > archived,  # of those before it some stay, and others are gone
    )
    return func.coalesce(select(func.max(journal.c.seq)).where(about_row).correlate(table).scalar_subquery(), 0)


def lock_chain(connection: Connection) -> None:
    """Lock the journal until the commit: nobody appends, and no entry leaves for an archive file."""
    if connection.dialect.name == "postgresql":  # SQLite's writers are one at a time already
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _append_all(connection: Connection, entries: Sequence[_Entry]) -> None:
    """Chain entries to the newest one, in their order. The lock is held from here to the commit."""
    lock_chain(connection)
    ids = sorted({entry.event_id for entry in entries} - {""})
    by_id = {row.id: row for row in connection.execute(_EVENTS, {"ids": ids})} if ids else {}
    said = {id_: (row.first_body_sha256, event_sha256(row.first_body)) for id_, row in by_id.items() if row.first_body}
    last, previous = connection.execute(_LAST).one_or_none() or (0, GENESIS)
    rows = []
    for seq, entry in enumerate(entries, start=last + 1):
        about_event, digest = _about_event(by_id[entry.event_id] if entry.event_id else None)
        columns = {"seq": seq, **about_event, **entry.columns, "event_id": entry.event_id}
        columns["model"] = about_event["model"] if columns["model"] is None else columns["model"]
        fields = {"said": entry.fields, **digest}
        previous = link(previous, canonical({**columns, **fields}))
        digests = (columns["body_sha256"], digest.get("event_sha256"))
        if said.get(entry.event_id) == digests:  # the event's first entry has them
            columns, fields = {**columns, "body_sha256": SAME}, {"said": entry.fields}
        said.setdefault(entry.event_id, digests)
        rows.append({**columns, "body": canonical(fields), "previous": SAME, "hash": previous})
    connection.execute(insert(journal), rows)


def _about_event(event: Row[Any] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return an entry's columns about its event, and what of it is in its text alone."""
    if event is None:
        return {"model": None, "event_type": "", "source": "", "body_sha256": ""}, {}
    columns = {"model": event.model, "event_type": event.type, "source": event.source}
    return columns | {"body_sha256": event.body_sha256}, {"event_sha256": event_digest(dict(event._mapping))}


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

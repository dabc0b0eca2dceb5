"""How an entry is stored: without what other columns and entries say, and whole again when it is read.

The hash covers the whole text (append.py), so that it also proves each part that is stored elsewhere:

- `body` has only the fields that are in no column. Entries before schema 0019 have the whole text there.
- `previous` is empty: it is the hash of the entry before, which the ledger also notes where that one is in an archive
  file. Entries before schema 0019 have it.
- `body_sha256`, and `event_sha256` in the body, are about the event, and its first entry says them. Later ones whose
  values are the same leave them out.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, RowMapping, Select, and_, case, func, null, select

from registrar.ledger.journal.append import (
    BODY_COLUMNS,
    COLUMNS,
    GENESIS,
    SAME,
    canonical,
    event_sha256,
    first_of_event,
    iso,
)
from registrar.ledger.tables import archives, journal

_BEFORE = journal.alias("entry_before")
_NEEDS_FIRST = and_(journal.c.body_sha256 == SAME, journal.c.event_id != "")


def select_entries() -> Select[Any]:
    """Return the query of rows for `restore`."""
    before = select(_BEFORE.c.hash).where(_BEFORE.c.seq == journal.c.seq - 1).scalar_subquery()
    archived = (
        select(func.max(archives.c.until_hash)).where(archives.c.until_seq == journal.c.seq - 1).scalar_subquery()
    )
    previous = func.coalesce(before, archived)
    first = [
        case((_NEEDS_FIRST, first_of_event(name, journal.c.event_id)), else_=null()).label(f"first_{name}")
        for name in ("body_sha256", "body")
    ]
    return select(journal, previous.label("hash_before"), *first)


def is_same(row: RowMapping, entry: Mapping[str, Any]) -> bool:
    """Return whether a stored row says what a whole entry says. What it leaves to other rows may be gone from here."""
    try:
        stored, fields = json.loads(row["body"]), json.loads(entry["body"])
    except ValueError:
        return False
    if not isinstance(stored, dict) or "seq" not in stored:  # not the whole text
        fields = {name: value for name, value in fields.items() if name not in BODY_COLUMNS}
        if row["body_sha256"] == SAME:
            fields.pop("event_sha256", None)
    may_lack = {"body_sha256": SAME, "previous": ""}
    columns = [name for name in COLUMNS if name != "body" and row[name] != may_lack.get(name, object())]
    own = {**row, "at": iso(row["at"])}
    return bool(stored == fields) and all(own[name] == entry[name] for name in columns)


def restore(row: Row[Any]) -> dict[str, Any]:
    """Return an entry with all its columns, `at` as text; as it is stored, where it can't be read."""
    entry = {name: row._mapping[name] for name in COLUMNS}
    entry["at"] = iso(entry["at"])
    entry["previous"] = entry["previous"] or row.hash_before or GENESIS
    try:
        fields = json.loads(entry["body"])
        if "seq" in fields:  # the whole text
            return entry
        if row.first_body_sha256 is not None:
            entry["body_sha256"] = row.first_body_sha256
            fields = {"event_sha256": event_sha256(row.first_body), **fields}
        columns = {name: entry[name] for name in BODY_COLUMNS}
        return entry | {"body": canonical({**columns, **fields})}
    except (ValueError, TypeError, AttributeError):  # altered: its hash will show it
        return entry

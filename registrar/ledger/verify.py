"""Holds the chain against itself, and the tables against the chain; a whole ledger is never in memory."""

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, select, text

from registrar.ledger import tables
from registrar.ledger.chain import Damaged, Head, Walk
from registrar.ledger.journal import canonical, entries
from registrar.ledger.replay import COLUMNS, Row, replay

_MOST = 20  # differences that are told
_BUCKETS = 4096


_TABLES: dict[str, Table] = {name: tables.metadata.tables[name] for name in COLUMNS}
# What a row is told by, and found by in both.
_KEYS = {
    "holders": ("model", "kind", "key", "version", "since"),
    "promotions": ("id",),
    "votes": ("event_id", "actor", "promotion_id"),
    "deployments": ("id",),
    "version_states": ("model", "version", "key", "at"),
    "incarnations": ("model", "version", "created_at"),
}


def verify(connection: Connection, *, expect: Iterable[Head] = ()) -> Walk:
    """Walk the whole journal and replay it. Raises Damaged, which says what is wrong. Returns the walk, at its end."""
    if connection.dialect.name == "postgresql":  # one view for the journal and the tables; SQLite has no other
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    walk = Walk(entries(connection), expect=expect)
    differing = _differing(replay(walk), _rows(connection))
    if differing:
        raise Damaged("\n".join(_differences(connection, differing)))
    return walk


def _differing(said: Iterable[Row], found: Iterable[Row]) -> set[tuple[str, int]]:
    """Where the two have not the same rows, whatever their order: by table and bucket.

    Sums of hashes take the memory of the buckets alone.
    """
    sums: Counter[tuple[str, int]] = Counter()
    for sign, rows in ((1, said), (-1, found)):
        for row in rows:
            digest = sha256(canonical(row.values).encode()).digest()
            sums[_bucket(row)] += sign * int.from_bytes(digest)
    return {bucket for bucket, total in sums.items() if total % 2**256}


def _bucket(row: Row) -> tuple[str, int]:
    return row.table, zlib.crc32(str(row.values[_KEYS[row.table][0]]).encode()) % _BUCKETS


def _rows(connection: Connection) -> Iterator[Row]:
    """All rows of the tables."""
    for name, table in _TABLES.items():
        query = select(*(table.c[column] for column in COLUMNS[name])).execution_options(yield_per=1000)
        try:
            for row in connection.execute(query):
                yield Row(name, dict(zip(COLUMNS[name], row, strict=True)), 0)
        except (ValueError, TypeError) as error:  # a time that is none, say
            raise Damaged(f"the table {name} can't be read: {error}") from None


def _differences(connection: Connection, where: set[tuple[str, int]]) -> Iterator[str]:
    """Once more, for what differs alone: so it may be held in memory."""
    said = _keyed(row for row in replay(Walk(entries(connection))) if _bucket(row) in where)
    found = _keyed(row for row in _rows(connection) if _bucket(row) in where)
    told = 0
    for key in [*said, *(key for key in found if key not in said)]:
        missing, extra = _unpaired(said.get(key, []), found.get(key, []))
        for sentence in _sentences(missing, extra):
            told += 1
            if told > _MOST:
                yield "... and more"
                return
            yield sentence


def _keyed(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(_name(row), []).append(row)
    return found


def _unpaired(said: list[Row], found: list[Row]) -> tuple[list[Row], list[Row]]:
    """Without those that are in both."""
    left = Counter(canonical(row.values) for row in found)
    missing = [row for row in said if not _take(left, row)]
    return missing, [row for row in found if _take(left, row)]


def _take(left: Counter[str], row: Row) -> bool:
    """Cross one such row off, if there is one."""
    same = canonical(row.values)
    if not left[same]:
        return False
    left[same] -= 1
    return True


def _sentences(missing: list[Row], extra: list[Row]) -> Iterator[str]:
    for row, other in zip(missing, extra, strict=False):
        columns = [name for name in row.values if _shown(row, name) != _shown(other, name)]
        by_journal = ", ".join(f"{name} {_shown(row, name)}" for name in columns)
        by_table = ", ".join(f"{name} {_shown(other, name)}" for name in columns)
        yield f"{_name(row)}: entry {row.seq} says {by_journal}; the table says {by_table}"
    for row in missing[len(extra) :]:
        yield f"{_name(row)}: entry {row.seq} says it, the table does not have it"
    for row in extra[len(missing) :]:
        yield f"{_name(row)}: the table has it, no entry says it"


def _name(row: Row) -> str:
    return f"{row.table} {' '.join(_shown(row, name) for name in _KEYS[row.table])}"


def _shown(row: Row, name: str) -> str:
    value: Any = row.values[name]
    return value if isinstance(value, str) else canonical(value).strip('"')

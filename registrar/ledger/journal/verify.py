"""Verify the journal's chain, and the tables against it, in bounded memory."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from registrar.ledger.journal.append import canonical
from registrar.ledger.journal.chain import ChainVerifier, Damaged, Head
from registrar.ledger.journal.entry_context import EVENTS, PLACE, EntryOrder
from registrar.ledger.journal.rebuild import KEYS, Row, replay
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.table_rows import Completed, rows

_MOST = 20  # differences that are listed
_BUCKETS = 4096

_Bucket = tuple[str, int]


@dataclass(frozen=True)
class Proof:
    """walk: of the journal, at its end. unsaid: what old entries did not say, and the last of those entries, by table
    and column: of rows that came later, the column is proven too.
    """

    walk: ChainVerifier
    unsaid: Mapping[tuple[str, str], int]

    def sentences(self) -> list[str]:
        """Say what is not proven."""
        by: dict[tuple[str, int], list[str]] = {}
        for (table, column), seq in sorted(self.unsaid.items()):
            by.setdefault((table, seq), []).append(column)
        return [
            f"{table}: entries up to {seq} do not say {', '.join(columns)}; proven from entry {seq + 1} on"
            for (table, seq), columns in by.items()
        ]


def verify(connection: Connection, *, expect: Iterable[Head] = ()) -> Proof:
    """Walk the whole journal and rebuild the tables from it. Raises Damaged, which says what is wrong."""
    if connection.dialect.name == "postgresql":  # one view for the journal and the tables; SQLite has no other
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    walk, order = ChainVerifier(entries(connection), expect=expect), EntryOrder()
    said = Completed(connection, replay(walk, order))
    # Both sides are walked to their ends, the journal first: it says how much was carried over.
    differing = _differing(said, lambda: rows(connection, order.carried))
    if differing:
        raise Damaged("\n".join(_truncate(_differences(connection, differing, order.carried))))
    return Proof(walk, said.unsaid)


def _differing(said: Iterable[Row], found: Callable[[], Iterable[Row]]) -> set[_Bucket]:
    """Where the two have not the same rows, whatever their order: by table and bucket.

    Sums of hashes take the memory of the buckets alone. Where rows differ, their places do, too, which is not listed.
    """
    sums: Counter[_Bucket] = Counter()
    for row in said:
        sums[_bucket(row)] += _digest(row)
    for row in found():
        sums[_bucket(row)] -= _digest(row)
    differing = {bucket for bucket, total in sums.items() if total % 2**256}
    return {bucket for bucket in differing if not bucket[0].startswith(PLACE)} or differing


def _digest(row: Row) -> int:
    return int.from_bytes(sha256(canonical(row.values).encode()).digest())


def _bucket(row: Row) -> _Bucket:
    return row.table, zlib.crc32(str(row.values[KEYS[row.table][0]]).encode()) % _BUCKETS


def _truncate(sentences: Iterable[str]) -> Iterator[str]:
    for told, sentence in enumerate(sentences):
        if told == _MOST:
            yield "... and more"
            return
        yield sentence


def _differences(connection: Connection, where: set[_Bucket], carried: Mapping[tuple[Any, ...], int]) -> Iterator[str]:
    """Once more, for what differs alone: so it may be held in memory."""
    journal = Completed(connection, replay(ChainVerifier(entries(connection)), EntryOrder()))
    said = _keyed(row for row in journal if _bucket(row) in where)
    found = _keyed(row for row in rows(connection, carried) if _bucket(row) in where)
    for key in [*said, *(key for key in found if key not in said)]:
        missing, extra = _unpaired(said.get(key, []), found.get(key, []))
        # An event is compared once for each entry, and listed once.
        yield from islice(_sentences(missing, extra), 1 if key.startswith(f"{EVENTS} ") else None)


def _keyed(which: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in which:
        found.setdefault(str(row), []).append(row)
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
        columns = [name for name in row.values if row.shown(name) != other.shown(name)]
        by_journal = ", ".join(f"{name} {row.shown(name)}" for name in columns)
        by_table = ", ".join(f"{name} {other.shown(name)}" for name in columns)
        yield f"{row}: entry {row.seq} says {by_journal}; the table says {by_table}"
    for row in missing[len(extra) :]:
        yield f"{row}: entry {row.seq} says it, the table does not have it"
    for row in extra[len(missing) :]:
        yield f"{row}: the table has it, no entry says it"

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
from registrar.ledger.journal.entry_context import EVENTS, POSITION, EntryOrder
from registrar.ledger.journal.rebuild import KEYS, Row, replay
from registrar.ledger.journal.stream import entries
from registrar.ledger.journal.table_rows import Completed, rows

_MOST = 20  # differences that are listed
_BUCKETS = 4096

_Bucket = tuple[str, int]


@dataclass(frozen=True)
class Proof:
    """walk: the verifier after the last entry. unsaid: by (table, column) that old entries do not have, the last such
    entry's seq; rows written later are proven in that column, too.
    """

    walk: ChainVerifier
    unsaid: Mapping[tuple[str, str], int]

    def sentences(self) -> list[str]:
        """Return sentences about the columns that are not proven."""
        by: dict[tuple[str, int], list[str]] = {}
        for (table, column), seq in sorted(self.unsaid.items()):
            by.setdefault((table, seq), []).append(column)
        return [
            f"{table}: entries up to {seq} do not say {', '.join(columns)}; proven from entry {seq + 1} on"
            for (table, seq), columns in by.items()
        ]


Journal = Callable[[Connection], Iterator[dict[str, Any]]]


def verify(connection: Connection, *, expect: Iterable[Head] = (), journal: Journal = entries) -> Proof:
    """Check the whole journal, rebuild the tables from it, and compare. Raises Damaged, which says what is wrong.

    journal: yields all entries from the first, also those that are in archive files.
    """
    if connection.dialect.name == "postgresql":  # one view for the journal and the tables; SQLite has no other
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    walk, order = ChainVerifier(journal(connection), expect=expect), EntryOrder()
    rebuilt = Completed(connection, replay(walk, order))
    # The journal is read first, to its end: it says how many rows were carried over.
    differing = _differing(rebuilt, lambda: rows(connection, order.carried, journal(connection)))
    if differing:
        raise Damaged("\n".join(_truncate(_differences(connection, differing, order.carried, journal))))
    return Proof(walk, rebuilt.unsaid)


def _differing(rebuilt: Iterable[Row], stored: Callable[[], Iterable[Row]]) -> set[_Bucket]:
    """Return the buckets in which rebuilt and stored rows differ, in any order.

    Sums of hashes bound the memory to the number of buckets. Positions differ wherever rows do, and are left out then.
    """
    sums: Counter[_Bucket] = Counter()
    for row in rebuilt:
        sums[_bucket(row)] += _digest(row)
    for row in stored():
        sums[_bucket(row)] -= _digest(row)
    differing = {bucket for bucket, total in sums.items() if total}
    return {bucket for bucket in differing if not bucket[0].startswith(POSITION)} or differing


def _digest(row: Row) -> int:
    return int.from_bytes(sha256(canonical(row.values).encode()).digest())


def _bucket(row: Row) -> _Bucket:
    return row.table, zlib.crc32(str(row.values[KEYS[row.table][0]]).encode()) % _BUCKETS


def _truncate(sentences: Iterable[str]) -> Iterator[str]:
    for count, sentence in enumerate(sentences):
        if count == _MOST:
            yield "... and more"
            return
        yield sentence


def _differences(
    connection: Connection, buckets: set[_Bucket], carried: Mapping[tuple[Any, ...], int], journal: Journal
) -> Iterator[str]:
    """Read both sides again and keep the rows of differing buckets in memory, to describe them."""
    told = Completed(connection, replay(ChainVerifier(journal(connection)), EntryOrder()))
    rebuilt = _keyed(row for row in told if _bucket(row) in buckets)
    stored = _keyed(row for row in rows(connection, carried, journal(connection)) if _bucket(row) in buckets)
    for key in [*rebuilt, *(key for key in stored if key not in rebuilt)]:
        missing, extra = _unpaired(rebuilt.get(key, []), stored.get(key, []))
        # An event is compared once for each entry, and listed once.
        yield from islice(_sentences(missing, extra), 1 if key.startswith(f"{EVENTS} ") else None)


def _keyed(which: Iterable[Row]) -> dict[str, list[Row]]:
    by_key: dict[str, list[Row]] = {}
    for row in which:
        by_key.setdefault(str(row), []).append(row)
    return by_key


def _unpaired(rebuilt: list[Row], stored: list[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of each side that the other does not have."""
    unmatched = Counter(canonical(row.values) for row in stored)
    missing = [row for row in rebuilt if not _take(unmatched, row)]
    return missing, [row for row in stored if _take(unmatched, row)]


def _take(unmatched: Counter[str], row: Row) -> bool:
    """Remove one equal row, if there is one; return whether there was."""
    values = canonical(row.values)
    if not unmatched[values]:
        return False
    unmatched[values] -= 1
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

"""The counts that the metrics take from the journal, with the number of the entry up to which they count.

One reader at a time counts forward: its commit changes the counts and the number together, and only where the number is
still the one that it began with. So an entry is counted once, whichever reader dies, and wherever.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select, true, tuple_, update

from registrar.ledger.heartbeats import time_of
from registrar.ledger.journal.append import GENESIS
from registrar.ledger.tables import journal, metrics_checkpoint, metrics_series, metrics_subjects

# Seconds for which a reader with many entries to count keeps others off. It renews them with each commit, of which
# there are several a second; on a machine so busy that one takes longer, readers would take the work from each other.
# A dead reader's work is taken over after so long.
LEASE_SECONDS = 30.0
# Registered versions that are remembered.
VERSIONS = 10_000
VERSION = "version"  # a subject's kind
_DELETE_SERIES = delete(metrics_series).where(
    metrics_series.c.metric == bindparam("of_metric"), metrics_series.c.labels == bindparam("of_labels")
)
_DELETE_SUBJECT = delete(metrics_subjects).where(
    metrics_subjects.c.kind == bindparam("of_kind"), metrics_subjects.c.key == bindparam("of_key")
)

SeriesKey: TypeAlias = tuple[str, str]  # metric, labels as canonical JSON
SubjectKey: TypeAlias = tuple[str, str]  # kind, key


@dataclass(frozen=True)
class Checkpoint:
    """seq, hash: of the last counted entry. complete: the journal was counted to its end once.

    reader, until: the process that has many entries to count, and when its lease ends, by the database's time.
    """

    seq: int
    hash: str
    complete: bool
    reader: str | None = None
    until: datetime | None = None

    def taken(self, reader: str, at: datetime) -> bool:
        """Return whether another reader counts. A lease that ends too late is from before the clock was set back."""
        if self.reader in (None, reader) or self.until is None:
            return False
        return at < self.until <= at + timedelta(seconds=LEASE_SECONDS)


@dataclass
class Series:
    """value: a counter's, or a histogram's sum. buckets: of a histogram, observations by the bucket's upper bound."""

    value: float = 0.0
    buckets: dict[str, int] | None = None


@dataclass(frozen=True)
class Subject:
    """What later entries are counted with. seq: of the entry that it is from. value: JSON-able."""

    seq: int
    value: Mapping[str, Any]


@dataclass
class Changes:
    """What a reader counted: series with their new values, subjects to write, subjects that are done with."""

    series: dict[SeriesKey, Series] = field(default_factory=dict)
    subjects: dict[SubjectKey, Subject] = field(default_factory=dict)
    done: set[SubjectKey] = field(default_factory=set)


def current(connection: Connection) -> Checkpoint:
    row = connection.execute(select(metrics_checkpoint)).one()
    return Checkpoint(row.seq, row.hash, row.complete, row.reader, row.reader_until)


def newest_entry(connection: Connection) -> int:
    """Return the number of the journal's newest entry; 0: there is none."""
    return connection.execute(select(func.max(journal.c.seq))).scalar_one() or 0


def counts_this_journal(connection: Connection, checkpoint: Checkpoint) -> bool:
    """Return whether the counted entries are those of this journal, as far as its last counted entry is still there."""
    if newest_entry(connection) < checkpoint.seq:
        return False
    found = connection.execute(select(journal.c.hash).where(journal.c.seq == checkpoint.seq)).scalar_one_or_none()
    return found is None or found == checkpoint.hash


def claim(connection: Connection, checkpoint: Checkpoint, reader: str) -> bool:
    """Keep other readers off; return whether this one may count."""
    return _replace(connection, checkpoint, replace(checkpoint, reader=reader))


def release(connection: Connection, reader: str) -> None:
    """Let others count at once."""
    own = update(metrics_checkpoint).where(metrics_checkpoint.c.reader == reader)
    connection.execute(own.values(reader=None, reader_until=None))


def advance(connection: Connection, checkpoint: Checkpoint, to: Checkpoint, changes: Changes) -> bool:
    """Write what was counted since `checkpoint`; return whether nobody had counted meanwhile. Else nothing changes."""
    if not _replace(connection, checkpoint, to):
        return False
    _write_series(connection, changes.series)
    _write_subjects(connection, changes)
    return True


def restart(connection: Connection, checkpoint: Checkpoint) -> bool:
    """Forget all counts, for a journal that is another one; return whether nobody else did."""
    if not _replace(connection, checkpoint, Checkpoint(0, GENESIS, complete=False)):
        return False
    connection.execute(delete(metrics_series))
    connection.execute(delete(metrics_subjects))
    return True


def series(connection: Connection, keys: Iterable[SeriesKey]) -> dict[SeriesKey, Series]:
    """Return the stored ones of `keys`."""
    wanted = set(keys)
    query = select(metrics_series).where(metrics_series.c.metric.in_({metric for metric, _ in wanted}))
    found = {(row.metric, row.labels): Series(row.value, row.buckets) for row in connection.execute(query)}
    return {key: found[key] for key in found.keys() & wanted}


def shown(connection: Connection) -> list[tuple[str, Mapping[str, str], Series]] | None:
    """Return all series as (metric, labels, values), in the order of their names; None: not counted to the end yet.

    One statement: counts of one moment, also on PostgreSQL.
    """
    counted = metrics_checkpoint.outerjoin(metrics_series, true())
    own = (metrics_series.c[name] for name in ("metric", "labels", "value", "buckets"))
    query = select(metrics_checkpoint.c.complete, *own).select_from(counted).order_by("metric", "labels")
    rows = connection.execute(query).all()
    if not all(row.complete for row in rows):
        return None
    return [(row.metric, json.loads(row.labels), Series(row.value, row.buckets)) for row in rows if row.metric]


def subjects(connection: Connection, keys: Iterable[SubjectKey]) -> dict[SubjectKey, Subject]:
    """Return the stored ones of `keys`: 10,000 at most, as a database takes no more in one statement."""
    wanted = tuple_(metrics_subjects.c.kind, metrics_subjects.c.key).in_(set(keys))
    rows = connection.execute(select(metrics_subjects).where(wanted))
    return {(row.kind, row.key): Subject(row.seq, row.value) for row in rows}


def _unchanged(checkpoint: Checkpoint) -> ColumnElement[bool]:
    columns = metrics_checkpoint.c
    same_reader = columns.reader.is_not_distinct_from(checkpoint.reader)
    return and_(columns.seq == checkpoint.seq, columns.hash == checkpoint.hash, same_reader)


def _replace(connection: Connection, checkpoint: Checkpoint, to: Checkpoint) -> bool:
    """Write a checkpoint, with a lease from now on where it names a reader; return whether the former one was there."""
    until = time_of(connection) + timedelta(seconds=LEASE_SECONDS) if to.reader else None
    values = {"seq": to.seq, "hash": to.hash, "complete": to.complete, "reader": to.reader, "reader_until": until}
    changed = update(metrics_checkpoint).where(_unchanged(checkpoint)).values(values)
    return connection.execute(changed).rowcount == 1


def _write_series(connection: Connection, changed: Mapping[SeriesKey, Series]) -> None:
    if not changed:
        return
    rows = [
        {"metric": metric, "labels": labels, "value": one.value, "buckets": one.buckets}
        for (metric, labels), one in changed.items()
    ]
    connection.execute(_DELETE_SERIES, [{"of_metric": metric, "of_labels": labels} for metric, labels in changed])
    connection.execute(insert(metrics_series), rows)


def _write_subjects(connection: Connection, changes: Changes) -> None:
    if replaced := [*changes.done, *changes.subjects]:
        connection.execute(_DELETE_SUBJECT, [{"of_kind": kind, "of_key": key} for kind, key in replaced])
    if changes.subjects:
        rows = [
            {"kind": kind, "key": key, "seq": subject.seq, "value": subject.value}
            for (kind, key), subject in changes.subjects.items()
        ]
        connection.execute(insert(metrics_subjects), rows)
        _forget_old_versions(connection)


def _forget_old_versions(connection: Connection) -> None:
    of_versions = metrics_subjects.c.kind == VERSION
    newest = select(metrics_subjects.c.seq).where(of_versions).order_by(metrics_subjects.c.seq.desc())
    oldest_kept = newest.offset(VERSIONS - 1).limit(1).scalar_subquery()
    connection.execute(delete(metrics_subjects).where(of_versions, metrics_subjects.c.seq < oldest_kept))

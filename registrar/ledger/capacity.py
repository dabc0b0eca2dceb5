"""Backpressure: bounds on unfinished tasks, per source and in all, and a reserve on the ledger's disk.

Refused senders try again; an unbounded backlog would fill the disk and be worked off too late to be of use. The counts
are read from the ledger once a second, and grow by what this process accepts in between. A bound can be exceeded by
what other receivers accept within that second, and by follow-ups.
"""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from registrar.events.event import Event
from registrar.ledger import heartbeats
from registrar.ledger.engine import Ledger, LedgerUnavailable
from registrar.ledger.heartbeats import Heartbeat
from registrar.ledger.queries.queue import unfinished
from registrar.policy import Policy

# Bytes reserved for finishing accepted work: SQLite's own log grows to 16 MiB between two checkpoints, and then the
# file itself by as much at most.
LEAST_FREE = 32 * 2**20
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_PROBE = Heartbeat("probe", "probe", "", _LONG_AGO, _LONG_AGO)


def free_bytes(ledger: Ledger) -> int | None:
    """Return the free bytes of the ledger's disk; None where it can't be read (PostgreSQL, or the folder is gone)."""
    path = ledger.engine.url.database
    if ledger.engine.dialect.name != "sqlite" or not path:
        return None
    try:
        return shutil.disk_usage(Path(path).parent).free
    except OSError:
        return None


def probe(connection: Connection) -> None:
    """Write a row and delete it again: only a write shows that a disk is full or read-only."""
    heartbeats.beat(connection, _PROBE)
    heartbeats.stopped(connection, _PROBE)


# Seconds after which the counts are read again, in the background.
FRESH = 1.0
# Seconds after which counts are too old to decide by: the first request after a quiet time waits for new ones.
STALE = 3.0
# Counting may take 1/10 of the time at most. With 50,000 tasks one count takes 0.16 s.
_SHARE = 10
# `pressing` events (decisions of people) may exceed the total bound by 1/10.
RESERVE = 10


class NoCapacity(Exception):
    """There is no room for a submission. The message says what is full, with its bound and setting."""


class DiskFull(NoCapacity):
    """The ledger's disk has only what is kept for finishing accepted work."""


class Capacity:
    """Admit or refuse events by counts in memory. Thread-safe. Only `refresh` reads the ledger and the disk."""

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._since: Counter[str] = Counter()
        self._free: int | None = None
        self._looked_at = self._due_at = float("-inf")
        self._failed: tuple[float, LedgerUnavailable] | None = None

    @property
    def bound(self) -> int:
        """The number of tasks of all sources that may be unfinished."""
        return self._policy.max_unfinished

    @property
    def due(self) -> bool:
        """Whether the counts should be read again."""
        return time.monotonic() >= self._due_at

    @property
    def stale(self) -> bool:
        """Whether the counts are too old to decide by."""
        return self.due and time.monotonic() > self._looked_at + STALE

    def unfinished(self) -> Mapping[str, int]:
        """Return the unfinished tasks by source, a second old at most. May block. Raises LedgerUnavailable."""
        self.refresh()
        with self._lock:
            return dict(self._counts)

    def admit(self, source: str, events: Sequence[Event]) -> None:
        """Count the events as accepted. Never blocks. Raises NoCapacity, DiskFull."""
        if self._free is not None and self._free < LEAST_FREE:
            raise DiskFull(
                f"the ledger's disk has {self._free / 2**20:.1f} MiB left, which are kept for finishing what was "
                "accepted; nothing was accepted, make room on it and send this again"
            )
        with self._lock:
            self._check(source, events)
            self._counts[source] += len(events)
            self._since[source] += len(events)

    def refresh(self) -> None:
        """Read the counts and the free disk space where they are due. Blocks. Raises LedgerUnavailable."""
        with self._turn:
            if not self.due:
                return
            if self._failed and time.monotonic() < self._failed[0] + FRESH:
                raise LedgerUnavailable(str(self._failed[1]), self._failed[1].reason)
            try:
                self._measure()
            except LedgerUnavailable as error:
                self._failed = time.monotonic(), error
                raise
            self._failed = None

    def _measure(self) -> None:
        with self._lock:
            self._since.clear()
        began = time.monotonic()
        free = free_bytes(self._ledger)
        with self._ledger.read() as connection:
            counts = Counter(unfinished(connection))
        ended = time.monotonic()
        with self._lock:
            self._counts, self._free = counts + self._since, free
            self._looked_at, self._due_at = ended, ended + max(FRESH, _SHARE * (ended - began))

    def _check(self, source: str, events: Sequence[Event]) -> None:
        """Raise NoCapacity where a bound is reached.

        A delivery may exceed a bound that was not reached: otherwise one larger than the bound could never be accepted.
        """
        configured = self._policy.sources.get(source)  # pages, API and scheduler have the bound in all alone
        if configured and self._counts[source] >= configured.max_unfinished:
            raise NoCapacity(
                f"{self._counts[source]:,} tasks of {source} are not done yet, and {configured.max_unfinished:,} may "
                f"wait (sources.{source}.max_unfinished)"
            )
        pressing = all(event.data.pressing for event in events)
        bound = self.bound + (self.bound // RESERVE if pressing else 0)
        if (total := self._counts.total()) >= bound:
            raise NoCapacity(f"{total:,} tasks are not done yet, and {bound:,} may wait (max_unfinished)")

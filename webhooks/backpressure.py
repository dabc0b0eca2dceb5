"""Whether there is room for one more: bounds on what is not done yet, of a source and in all, and the disk's last.

A sender that is refused comes again; work that is accepted without bound is done too late to be of use, and fills the
disk. Counted from the ledger once a second, and up by what this process accepts meanwhile: what may pass beyond a
bound is what other receivers take in that second, and the follow-ups of what was accepted.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from registrar.event import Event
from registrar.ledger import Ledger
from registrar.ledger.accept import Delivery, Receipt, known
from registrar.ledger.backlog import unfinished
from registrar.ledger.room import LEAST_FREE, free_bytes
from registrar.policy import Policy
from webhooks.commit import Accept
from webhooks.crew import aside
from webhooks.errors import Full, Rejected, Unavailable

log = logging.getLogger(__name__)

FRESH = 1.0  # second
_SHARE = 10  # a count takes a tenth of the time at most: with 50,000 tasks it takes 0.16 s
RESERVE = 10  # of the bound in all, one part in so many is kept for what people decide


class Backpressure:
    """Of one receiver; shared by all threads."""

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._counting = False
        self._counts: Counter[str] = Counter()
        self._since: Counter[str] = Counter()
        self._until = float("-inf")
        self._roomy_until = 0.0

    @property
    def most(self) -> int:
        return self._policy.max_unfinished

    def waiting(self) -> Mapping[str, int]:
        """Unfinished tasks by source, a second old at most. Raises LedgerUnavailable."""
        self._refresh()
        with self._lock:
            return dict(self._counts)

    def bounded(self, accept: Accept) -> Accept:
        """Refuses with Full or Unavailable what there is no room for; but a repetition is answered as ever."""

        def commit(delivery: Delivery, events: Sequence[Event], at: datetime) -> Receipt:
            try:
                self._admit(delivery.source, events)
            except Rejected:
                if earlier := aside(partial(self._known, delivery)):
                    return earlier
                raise
            return accept(delivery, events, at)

        return commit

    def _known(self, delivery: Delivery) -> Receipt | None:
        with self._ledger.read() as connection:
            return known(connection, delivery)

    def _admit(self, source: str, events: Sequence[Event]) -> None:
        self._check_disk()
        self._refresh()
        with self._lock:
            self._check(source, events)
            self._counts[source] += len(events)
            self._since[source] += len(events)

    def _check_disk(self) -> None:
        """Looked at every FRESH seconds, and while it is full at each request."""
        if time.monotonic() < self._roomy_until:
            return
        free = free_bytes(self._ledger)
        if free is not None and free < LEAST_FREE:
            raise Unavailable(
                f"the ledger's disk has {free / 2**20:.1f} MiB left, which are kept for finishing what was accepted; "
                "nothing was accepted, make room on it and send this again",
                why="the disk of its database is full",
            )
        self._roomy_until = time.monotonic() + FRESH

    def _check(self, source: str, events: Sequence[Event]) -> None:
        """Of one who is over a bound nothing is taken. A delivery that only just goes over it is: else one that is
        larger than the bound would never be.
        """
        sender = self._policy.sources.get(source)  # our own pages and API are none: they have the bound in all
        if sender and self._counts[source] >= sender.max_unfinished:
            raise Full(
                f"{self._counts[source]:,} tasks of {source} are not done yet, and {sender.max_unfinished:,} may wait "
                f"(sources.{source}.max_unfinished)"
            )
        pressing = all(event.data.pressing for event in events)
        most = self.most + (self.most // RESERVE if pressing else 0)
        if (total := self._counts.total()) >= most:
            raise Full(f"{total:,} tasks are not done yet, and {most:,} may wait (max_unfinished)")

    def _refresh(self) -> None:
        """One counts, the others go on with what was counted last; before the first count all wait."""
        if time.monotonic() < self._until or (self._counting and self._until > 0):
            return
        self._counting = True
        try:
            aside(self._count)
        finally:
            self._counting = False

    def _count(self) -> None:
        with self._turn:
            if time.monotonic() >= self._until:
                self._count_anew()

    def _count_anew(self) -> None:
        with self._lock:
            self._since.clear()
        begin = time.monotonic()
        with self._ledger.read() as connection:
            found = Counter(unfinished(connection))
        end = time.monotonic()
        with self._lock:
            self._counts = found + self._since
            self._until = end + max(FRESH, _SHARE * (end - begin))

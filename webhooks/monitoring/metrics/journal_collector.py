"""Counters read from the journal: the same from every receiver, and complete after a restart.

They are absent until the whole journal was read: a counter that climbs after a restart would look like a busy day.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from prometheus_client.core import Metric

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.journal.stream import after
from registrar.policy import Policy
from webhooks.caches import SingleFlightCache
from webhooks.monitoring.metrics.journal_metrics import JournalMetrics

# Entries read at once.
PAGE = 2000
# Seconds of reading for one scrape; a page takes a tenth of that.
READ_SECONDS = 0.5


class JournalCollector:
    """A collector for prometheus-client. While the ledger is unavailable the numbers stay."""

    def __init__(self, ledger: Ledger, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = JournalMetrics(policy)
        self._read_to = 0
        self._complete = False
        self._cached = SingleFlightCache(self._read_families)

    def collect(self) -> Iterator[Metric]:
        yield from self._cached()

    def _read_families(self) -> list[Metric]:
        with suppress(LedgerUnavailable):  # registrar_ledger_up says so
            self._follow()
        return list(self._metrics.registry.collect()) if self._complete else []

    def _follow(self) -> None:
        until = self._clock() + READ_SECONDS
        while True:
            with self._ledger.read() as connection:
                entries = after(connection, self._read_to, limit=PAGE)
            for entry in entries:
                self._metrics.count(entry)
                self._read_to = entry.seq
            if len(entries) < PAGE:
                self._complete = True
                return
            if self._clock() >= until:
                return

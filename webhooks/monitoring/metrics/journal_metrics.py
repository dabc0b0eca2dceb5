"""Counters and histograms of the journal, as the ledger has them counted: the same from every process.

They are absent until the whole journal was counted once: a counter that climbs after an upgrade would look like a busy
day. After a start they are there at once.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from registrar.ledger import Ledger, LedgerUnavailable, metrics_checkpoint
from registrar.ledger.metrics_checkpoint import Series
from registrar.policy import Policy
from webhooks.caches import SingleFlightCache
from webhooks.monitoring.metrics.journal_families import FAMILIES
from webhooks.monitoring.metrics.journal_reader import JournalReader

# Seconds that a scrape waits for the newest entries to be counted: more than some hundred of them take.
WAIT = 0.25
_UNCOUNTED = "Entries of the journal that its counters and histograms do not count yet."


class JournalCollector:
    """A collector for prometheus-client. While the ledger is unavailable the numbers stay."""

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self.reader = JournalReader(ledger, policy)
        self._ledger = ledger
        self._last: list[Metric] = []
        self._cached = SingleFlightCache(self._read_families)

    def collect(self) -> Iterator[Metric]:
        yield from self._cached()

    def _read_families(self) -> list[Metric]:
        self.reader.catch_up(wait=WAIT)
        try:
            with self._ledger.read() as connection:
                counted = metrics_checkpoint.current(connection).seq
                uncounted = max(0, metrics_checkpoint.newest_entry(connection) - counted)
                series = metrics_checkpoint.shown(connection)
        except LedgerUnavailable:  # registrar_ledger_up says so
            return self._last
        self._last = list(_families(series)) if series is not None else []
        return [GaugeMetricFamily("registrar_journal_uncounted_entries", _UNCOUNTED, value=uncounted), *self._last]


def _families(series: list[tuple[str, Mapping[str, str], Series]]) -> Iterator[Metric]:
    for family in FAMILIES:
        yield family.metric([(labels, values) for metric, labels, values in series if metric == family.name])

"""The counters and histograms of the journal: what they are called, and how they are stored and shown.

Rows of the ledger may come from a version with other families or other buckets. A family that this version does not
have stays in the ledger and is not shown. A family that is new counts from its first version on. An observation counts
in the smallest present bucket that holds all of its old one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from registrar.ledger.metrics_checkpoint import Series

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LEGS = (1, 10, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
BACK = (1, 2, 5, 10, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)


@dataclass(frozen=True)
class Family:
    """name: without registrar_ and _total. bounds: of a histogram, ascending, without +Inf; None: a counter."""

    name: str
    help: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] | None = None

    def add(self, series: Series, value: float) -> None:
        """Count: add to a counter, or observe in a histogram."""
        series.value += value
        if self.bounds is not None:
            series.buckets = series.buckets or {}
            series.buckets[self._bucket(value)] = series.buckets.get(self._bucket(value), 0) + 1

    def _bucket(self, value: float) -> str:
        """Return the smallest bound that is not below `value`."""
        bounds = (*(self.bounds or ()), float("inf"))
        return _text(bounds[bisect_left(bounds, value)])

    def metric(self, series: Iterable[tuple[Mapping[str, str], Series]]) -> Metric:
        """Return what a scrape shows. Series with other labels than the family's are left out."""
        fitting = [
            ([labels[name] for name in self.labels], one)
            for labels, one in series
            if labels.keys() == frozenset(self.labels)
        ]
        if self.bounds is None:
            counter = CounterMetricFamily(f"registrar_{self.name}", self.help, labels=self.labels)
            for values, one in fitting:
                counter.add_metric(values, one.value)
            return counter
        histogram = HistogramMetricFamily(f"registrar_{self.name}", self.help, labels=self.labels)
        for values, one in fitting:
            histogram.add_metric(values, self._cumulative(one.buckets or {}), one.value)
        return histogram

    def _cumulative(self, buckets: Mapping[str, int]) -> list[tuple[str, float]]:
        """Return (bound, observations up to it)."""
        bounds = [_text(bound) for bound in (*(self.bounds or ()), float("inf"))]
        counts = dict.fromkeys(bounds, 0)
        for bound, count in buckets.items():
            counts[self._bucket(float(bound))] += count
        return list(zip(bounds, accumulate(counts.values()), strict=True))


def _text(bound: float) -> str:
    """Write a bound as Prometheus does: 1.0, +Inf."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


_TARGET = ("policy", "target")
REQUESTED = Family("promotions_requested", "Requested promotions.", _TARGET)
PROMOTIONS = Family("promotions", "Ended promotions, by outcome.", (*_TARGET, "outcome"))
APPROVALS = Family("approvals", "Ended requests for approval, by outcome.", (*_TARGET, "outcome"))
VOTES = Family("votes", "Votes, by verdict and whether they counted.", ("verdict", "counted"))
DEPLOYMENTS = Family("deployments", "Ended deployments, by outcome.", (*_TARGET, "outcome"))
ENTRIES = Family("journal_entries", "Entries of the journal, by kind.", ("kind",))
LEAD_TIME = Family("lead_time_seconds", "From training to live, leg by leg.", (*_TARGET, "leg"), LEGS)
DECISION = Family(
    "approval_decision_seconds", "From asking people for approval to their answer.", (*_TARGET, "outcome"), LEGS
)
ROLLBACK = Family(
    "rollback_seconds", "From the event that causes a rollback to the earlier version's return.", _TARGET, BACK
)
FAMILIES = (REQUESTED, PROMOTIONS, APPROVALS, VOTES, DEPLOYMENTS, ENTRIES, LEAD_TIME, DECISION, ROLLBACK)

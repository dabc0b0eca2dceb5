"""Counters and histograms read from the journal: outcomes of promotions, and how long they took.

They are the same from every receiver, and complete after a restart. They are absent until the whole journal was read: a
counter that climbs after a restart would look like a busy day.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric

from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.journal.append import EntryKind
from registrar.ledger.journal.stream import StreamedEntry, after
from registrar.policy import Policy
from registrar.policy.document import NONE, policy_of
from webhooks.caches import SingleFlightCache

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LEGS = (1, 10, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
BACK = (1, 2, 5, 10, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
# Versions whose training is remembered; for older ones, a promotion's legs begin with its request.
VERSIONS = 10_000
# Entries read at once.
PAGE = 2000
# Seconds of reading for one scrape; a page takes a tenth of that.
READ_SECONDS = 0.5
# The events that move a version back: only these queue worker.rollback.
_ROLLING_BACK = frozenset({"model.rollback", "deployment.failed", "model.review"})
_LABELS = ["policy", "target"]


@dataclass(frozen=True)
class _Version:
    trained: datetime | None
    registered: datetime | None


@dataclass
class _Promotion:
    """An open promotion.

    labels: its policy and target. asked: when people were asked for approval. approved: when the last one approved.
    """

    labels: tuple[str, str]
    requested: datetime
    asked: datetime | None = None
    approved: datetime | None = None


class JournalMetrics:
    """Counts into `registry`. Keeps state only of open promotions and recent versions."""

    def __init__(self, policy: Policy) -> None:
        self.registry = CollectorRegistry()
        self._policy = policy
        self._versions: OrderedDict[tuple[str | None, int | None], _Version] = OrderedDict()
        self._open: dict[str, _Promotion] = {}
        self._deploying: dict[str, tuple[tuple[str, str], datetime]] = {}
        self._requested = self._counter("promotions_requested", "Requested promotions.", *_LABELS)
        self._promotions = self._counter("promotions", "Ended promotions, by outcome.", *_LABELS, "outcome")
        self._approvals = self._counter("approvals", "Ended requests for approval, by outcome.", *_LABELS, "outcome")
        self._votes = self._counter("votes", "Votes, by verdict and whether they counted.", "verdict", "counted")
        self._deployments = self._counter("deployments", "Ended deployments, by outcome.", *_LABELS, "outcome")
        self._entries = self._counter("journal_entries", "Entries of the journal, by kind.", "kind")
        self._legs = self._histogram("lead_time_seconds", "From training to live, leg by leg.", LEGS, *_LABELS, "leg")
        self._decided = self._histogram(
            "approval_decision_seconds", "From asking people for approval to their answer.", LEGS, *_LABELS, "outcome"
        )
        self._back = self._histogram(
            "rollback_seconds", "From the event that causes a rollback to the earlier version's return.", BACK, *_LABELS
        )

    def count(self, entry: StreamedEntry) -> None:
        """Count the next entry. An entry about a promotion from before the journal is skipped."""
        self._entries.labels(entry.kind).inc()
        if handle := self._HANDLERS.get(entry.kind):
            handle(self, entry)

    def _opened(self, entry: StreamedEntry) -> None:
        labels = self._labels(entry)
        self._requested.labels(*labels).inc()
        state = entry.said["state"]
        asked = entry.at if state == PromotionState.AWAITING_APPROVAL else None
        self._open[entry.said["promotion_id"]] = _Promotion(
            labels, entry.at, asked, entry.at if state == PromotionState.APPROVED else None
        )
        self._remember(entry)

    def _remember(self, entry: StreamedEntry) -> None:
        """Keep when a version was trained and registered. The event that registered it made the first request too."""
        version = entry.model, entry.version
        if entry.registered_at and version not in self._versions:
            trained = entry.occurred_at if entry.event_type == "training_run.finished" else None
            self._versions[version] = _Version(trained, entry.registered_at)
            if len(self._versions) > VERSIONS:
                self._versions.popitem(last=False)

    def _judged(self, entry: StreamedEntry) -> None:
        promotion, state = self._open.get(entry.said["promotion_id"]), entry.said["state"]
        if promotion and state == PromotionState.AWAITING_APPROVAL:
            promotion.asked = entry.at
        elif promotion and state == PromotionState.APPROVED:
            promotion.approved = promotion.approved or entry.at

    def _ended(self, entry: StreamedEntry) -> None:
        state = entry.said["state"]
        if state == PromotionState.APPROVED:
            self._granted(entry)
        elif promotion := self._open.pop(entry.said["promotion_id"], None):
            self._promotions.labels(*promotion.labels, state).inc()
            if promotion.asked and not promotion.approved:
                self._answered(promotion, state, entry.at)
            if state == PromotionState.PROMOTED:
                self._arrived(promotion, entry)

    def _granted(self, entry: StreamedEntry) -> None:
        if promotion := self._open.get(entry.said["promotion_id"]):
            promotion.approved = entry.at
            if promotion.asked:
                self._answered(promotion, "broke_glass" if entry.said.get("broke_glass") else "granted", entry.at)

    def _answered(self, promotion: _Promotion, outcome: str, at: datetime) -> None:
        self._approvals.labels(*promotion.labels, outcome).inc()
        self._decided.labels(*promotion.labels, outcome).observe(_seconds(promotion.asked, at))

    def _arrived(self, promotion: _Promotion, entry: StreamedEntry) -> None:
        version = self._versions.get((entry.model, entry.version), _Version(None, None))
        legs = {
            "trained_to_registered": (version.trained, version.registered),
            "registered_to_requested": (version.registered, promotion.requested),
            "requested_to_decided": (promotion.requested, promotion.approved),
            "decided_to_promoted": (promotion.approved, entry.at),
            "trained_to_promoted": (version.trained, entry.at),
        }
        for leg, (begin, end) in legs.items():
            if begin and end:
                self._legs.labels(*promotion.labels, leg).observe(_seconds(begin, end))

    def _count_vote(self, entry: StreamedEntry) -> None:
        self._votes.labels(entry.said["verdict"], "yes" if entry.said["counted"] else "no").inc()

    def _deploy(self, entry: StreamedEntry) -> None:
        self._deploying[entry.said["deployment_id"]] = self._labels(entry), entry.at

    def _deployed(self, entry: StreamedEntry) -> None:
        if deploying := self._deploying.pop(entry.said["deployment_id"], None):
            labels, since = deploying
            self._deployments.labels(*labels, entry.said["state"]).inc()
            if entry.said["state"] == DeploymentState.LIVE:
                self._legs.labels(*labels, "promoted_to_live").observe(_seconds(since, entry.at))

    def _holds(self, entry: StreamedEntry) -> None:
        """Count a rollback: a holding without a promotion, caused by one of _ROLLING_BACK."""
        if entry.event_type not in _ROLLING_BACK or entry.said["promotion_id"] or entry.model is None:
            return
        model_policy = self._policy.model(entry.model)
        kind = "alias" if model_policy.mode == "aliases" else "stage"
        for target in model_policy.targets:
            if entry.said["kind"] == kind and entry.said["key"] == (target.alias if kind == "alias" else target.stage):
                labels = policy_of(self._policy, entry.model), target.stage
                self._back.labels(*labels).observe(_seconds(entry.accepted_at or entry.at, entry.at))

    _HANDLERS: dict[str, Callable[["JournalMetrics", StreamedEntry], None]] = {
        EntryKind.PROMOTION_OPENED: _opened,
        EntryKind.PROMOTION_REEVALUATED: _judged,
        EntryKind.PROMOTION_DECIDED: _ended,
        EntryKind.VOTE: _count_vote,
        EntryKind.DEPLOYMENT_REQUESTED: _deploy,
        EntryKind.DEPLOYMENT_ENDED: _deployed,
        EntryKind.HELD: _holds,
    }

    def _labels(self, entry: StreamedEntry) -> tuple[str, str]:
        return policy_of(self._policy, entry.model), str(entry.said.get("target") or NONE)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"registrar_{name}", help_, labels, registry=self.registry)

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"registrar_{name}", help_, labels, buckets=buckets, registry=self.registry)


def _seconds(begin: datetime | None, end: datetime) -> float:
    """Return seconds, at least 0: two machines' clocks may differ."""
    return max(0.0, (end - begin).total_seconds()) if begin else 0.0


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

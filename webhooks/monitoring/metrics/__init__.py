"""The receiver's metrics for Prometheus: counters of its processes, gauges of the ledger, counters of the journal.

docs/reference/metrics.md says what each means. https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.deliveries import Receipt
from registrar.policy import Policy
from webhooks.ingress.source_types import Verified
from webhooks.monitoring.metrics.journal_metrics import JournalCollector
from webhooks.monitoring.metrics.state_collector import StateCollector

__all__ = ["CONTENT_TYPE", "UNKNOWN", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# The label of all sources that registrar.yml does not have: a sender must not choose labels.
UNKNOWN = "(unknown)"
ACCEPT_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)  # Slack gives up after 3 s
_SECRETS = ("first", "second")  # in the order of registrar.yml


class Metrics:
    """The metrics of one receiver.

    sources: names. waiting: returns the number of unfinished tasks by source. shared: the folder in which several
    processes count together (webhooks/serve.py); None: one process. health: returns whether each part of /readyz
    passes.
    """

    def __init__(
        self,
        sources: Collection[str],
        waiting: Callable[[], Mapping[str, int]],
        ledger: Ledger,
        policy: Policy,
        *,
        shared: str | None = None,
        health: Callable[[], Mapping[str, bool]] = dict,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, with its time of creation
        self._sources = frozenset(sources)
        self._waiting = waiting
        self._health = health
        self._registry = CollectorRegistry()
        self._answers = self._counter("webhook_answers", "Answers to webhooks.", "source", "status")
        self._refused = self._counter("webhook_refused", "Refused requests, by reason.", "source", "code")
        self._events = self._counter("webhook_events", "Accepted events.", "source", "type")
        self._repeated = self._counter(
            "webhook_duplicates", "Deliveries that had been accepted before: answered, but not applied again.", "source"
        )
        self._verified = self._counter(
            "webhook_verified",
            "Verified requests, by the secret that signed them: when the second is not used any more, remove it.",
            "source",
            "secret",
        )
        self._accepting = Histogram(
            "registrar_webhook_accept_seconds",
            "From a request's arrival to its 2xx, with the commit.",
            ["source"],
            buckets=ACCEPT_SECONDS,
            registry=self._registry,
        )
        # Saves a look-up for each request; and a source that sent nothing yet is 0, not absent.
        self._accepted = {name: self._accepting.labels(name) for name in sources}
        self._gauges = CollectorRegistry()
        journal = JournalCollector(ledger, policy)
        self.journal_reader = journal.reader
        for collector in (self, StateCollector(ledger, policy), journal):
            self._gauges.register(collector)
        self._shown = self._registry
        if shared:
            self._shown = CollectorRegistry()
            self._shown.register(_Shared(shared, {family.name for family in self._registry.collect()}))

    def answered(self, name: str, status: int) -> None:
        self._answers.increment(self._label(name), str(status))

    def refused(self, name: str, code: str) -> None:
        """code: of webhooks/ingress/errors.py."""
        self._refused.increment(self._label(name), code)

    def verified(self, name: str, verified: Verified) -> None:
        """name: of a source of registrar.yml."""
        by = "none" if verified.secret_index is None else _SECRETS[verified.secret_index]
        self._verified.increment(name, by)

    def committed(self, name: str, receipt: Receipt) -> None:
        """Count a committed delivery. name: of a source of registrar.yml."""
        if receipt.repeated:
            self._repeated.increment(name)
            return
        for _, type_ in receipt.events:
            self._events.increment(name, type_)

    def accepted(self, name: str, status: int, seconds: float) -> None:
        """Count a request answered 2xx. name: of a source of registrar.yml."""
        self._answers.increment(name, str(status))
        self._accepted[name].observe(seconds)

    def text(self) -> bytes:
        """Return the exposition. While the ledger is unavailable its gauges are absent and registrar_ledger_up is 0."""
        return generate_latest(self._shown) + generate_latest(self._gauges)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of /readyz, and of the unfinished tasks that count against the capacity."""
        ready = GaugeMetricFamily("registrar_ready", "Whether a part passes, as /readyz has it.", labels=["check"])
        for name, passes in self._health().items():
            ready.add_metric([name], passes)
        yield ready
        try:
            waiting = self._waiting()
        except LedgerUnavailable:
            return
        help_ = "Unfinished tasks, by the source of their event."
        unfinished = GaugeMetricFamily("registrar_unfinished_tasks", help_, labels=["source"])
        for source in sorted(self._sources | waiting.keys()):
            unfinished.add_metric([source], waiting.get(source, 0))
        yield unfinished

    def _label(self, name: str) -> str:
        return name if name in self._sources else UNKNOWN

    def _counter(self, name: str, help_: str, *labels: str) -> "_Counts":
        return _Counts(Counter(f"registrar_{name}", help_, labels, registry=self._registry))


class _Counts:
    """A counter with a cache of its children: prometheus-client's look-up takes longer than counting."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._children: dict[tuple[str, ...], Counter] = {}

    def increment(self, *labels: str) -> None:
        """Count one. There are few combinations of labels."""
        if (child := self._children.get(labels)) is None:
            child = self._children[labels] = self._counter.labels(*labels)
        child.inc()


class _Shared:
    """The sums over a receiver's processes. names: of the metrics to sum; those of the journal are the same in each."""

    def __init__(self, folder: str, names: Collection[str]) -> None:
        self._all = MultiProcessCollector(None, path=folder)  # type: ignore[no-untyped-call]
        self._names = names

    def collect(self) -> Iterator[Metric]:
        return (family for family in self._all.collect() if family.name in self._names)  # type: ignore[no-untyped-call]

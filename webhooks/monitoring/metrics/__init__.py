"""What Prometheus reads of the receiver: what its processes count, how things stand, what has happened.

docs/metrics.md says what each means. https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Callable, Collection, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.deliveries import Receipt
from registrar.policy import Policy
from webhooks.ingress.source_types import Verified
from webhooks.monitoring.metrics.journal_collector import JournalCollector
from webhooks.monitoring.metrics.state_collector import StateCollector

__all__ = ["CONTENT_TYPE", "UNKNOWN", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNKNOWN = "(unknown)"  # stands for every source that registrar.yml does not have: a label must not take any text
ACCEPTING = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)  # seconds; Slack gives up after 3
_SECRETS = ("first", "second")  # in the order of registrar.yml


class Metrics:
    """Of one receiver. sources: their names. waiting: the unfinished tasks of each source that has some. shared: the
    folder in which several processes count together (webhooks/serve.py); None: this one counts for itself. health: of
    each part that /readyz looks at, whether it passes.
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
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which says when the first began
        self._sources = frozenset(sources)
        self._waiting = waiting
        self._health = health
        self._registry = CollectorRegistry()
        self._answers = self._counter("webhook_answers", "Answers to webhooks.", "source", "status")
        self._refused = self._counter("webhook_refused", "Refused requests, by reason.", "source", "code")
        self._events = self._counter("webhook_events", "Accepted events.", "source", "type")
        self._repeated = self._counter(
            "webhook_duplicates", "Deliveries that had been accepted before: answered, and not done again.", "source"
        )
        self._verified = self._counter(
            "webhook_verified",
            "Rightly signed requests, by the secret that signed: when the second is seen no more, drop it.",
            "source",
            "secret",
        )
        self._accepting = Histogram(
            "registrar_webhook_accept_seconds",
            "From a request's arrival to its 2xx, the commit among it.",
            ["source"],
            buckets=ACCEPTING,
            registry=self._registry,
        )
        # One look-up less for each request; and a source that sent nothing yet is 0, not absent.
        self._accepted = {name: self._accepting.labels(name) for name in sources}
        self._standing = CollectorRegistry()
        for collector in (self, StateCollector(ledger, policy), JournalCollector(ledger, policy)):
            self._standing.register(collector)
        self._told = self._registry
        if shared:
            self._told = CollectorRegistry()
            self._told.register(_Shared(shared, {family.name for family in self._registry.collect()}))

    def answered(self, name: str, status: int) -> None:
        self._answers.one(self._known(name), str(status))

    def refused(self, name: str, code: str) -> None:
        """code: of webhooks/ingress/errors.py."""
        self._refused.one(self._known(name), code)

    def verified(self, name: str, verified: Verified) -> None:
        """name: of a source of registrar.yml."""
        by = "none" if verified.secret_index is None else _SECRETS[verified.secret_index]
        self._verified.one(name, by)

    def took(self, name: str, receipt: Receipt) -> None:
        """A delivery that stands in the ledger. name: of a source of registrar.yml."""
        if receipt.repeated:
            self._repeated.one(name)
            return
        for _, type_ in receipt.events:
            self._events.one(name, type_)

    def accepted(self, name: str, status: int, seconds: float) -> None:
        """A request that is answered 2xx. name: of a source of registrar.yml."""
        self._answers.one(name, str(status))
        self._accepted[name].observe(seconds)

    def text(self) -> bytes:
        """A ledger that does not answer leaves its gauges away, and says so by registrar_ledger_up."""
        return generate_latest(self._told) + generate_latest(self._standing)

    def collect(self) -> Iterator[Metric]:
        """What /readyz says, and what is not done yet, as the bounds of backpressure see it."""
        ready = GaugeMetricFamily("registrar_ready", "Whether a part passes, as /readyz has it.", labels=["check"])
        for name, passes in self._health().items():
            ready.add_metric([name], passes)
        yield ready
        try:
            waiting = self._waiting()
        except LedgerUnavailable:
            return
        said = "Tasks that are not done yet, by the source whose event they came of."
        unfinished = GaugeMetricFamily("registrar_unfinished_tasks", said, labels=["source"])
        for source in sorted(self._sources | waiting.keys()):
            unfinished.add_metric([source], waiting.get(source, 0))
        yield unfinished

    def _known(self, name: str) -> str:
        return name if name in self._sources else UNKNOWN

    def _counter(self, name: str, help_: str, *labels: str) -> "_Counts":
        return _Counts(Counter(f"registrar_{name}", help_, labels, registry=self._registry))


class _Counts:
    """A counter that knows where it counted before: looking that up takes prometheus-client longer than counting."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._known: dict[tuple[str, ...], Counter] = {}

    def one(self, *labels: str) -> None:
        """One more of these, which are few."""
        if (counted := self._known.get(labels)) is None:
            counted = self._known[labels] = self._counter.labels(*labels)
        counted.inc()


class _Shared:
    """What a receiver's processes count together. What each reads off the journal lies in the folder, too, and is the
    same from each: it is not to be added up.
    """

    def __init__(self, folder: str, names: Collection[str]) -> None:
        self._all = MultiProcessCollector(None, path=folder)  # type: ignore[no-untyped-call]
        self._names = names

    def collect(self) -> Iterator[Metric]:
        return (family for family in self._all.collect() if family.name in self._names)  # type: ignore[no-untyped-call]

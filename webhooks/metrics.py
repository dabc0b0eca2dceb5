"""What the receiver counts, for Prometheus: https://prometheus.io/docs/practices/naming/

Labels come from registrar.yml and from us alone; what a sender chose would make series without end. One process
counts (gunicorn_conf.py has one worker).
"""

from collections.abc import Callable, Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

from registrar.ledger import LedgerUnavailable
from webhooks.source import Verified

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNKNOWN = "(unknown)"  # stands for all sources that registrar.yml does not have
_SECRETS = ("first", "second")  # in the order of registrar.yml


class Metrics:
    """Of one receiver. sources: their names. waiting: the unfinished tasks of each source that has some."""

    def __init__(self, sources: Collection[str], waiting: Callable[[], Mapping[str, int]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which says when the first began
        self._sources = frozenset(sources)
        self._waiting = waiting
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "registrar_webhook_answers",
            "Answers to webhooks, by source and HTTP status.",
            ["source", "status"],
            registry=self._registry,
        )
        self._verified = Counter(
            "registrar_webhook_verified",
            "Rightly signed requests, by the secret that signed: when the second is seen no more, drop it.",
            ["source", "secret"],
            registry=self._registry,
        )

        self._unfinished = Gauge(
            "registrar_unfinished_tasks",
            "Tasks that are not done yet, by the source whose event they came of.",
            ["source"],
            registry=self._registry,
        )

    def answered(self, name: str, status: int) -> None:
        self._answers.labels(name if name in self._sources else UNKNOWN, str(status)).inc()

    def verified(self, name: str, verified: Verified) -> None:
        """name: of a source of registrar.yml."""
        by = "none" if verified.secret_index is None else _SECRETS[verified.secret_index]
        self._verified.labels(name, by).inc()

    def text(self) -> bytes:
        """A ledger that does not answer leaves its gauge as it was."""
        try:
            waiting = self._waiting()
        except LedgerUnavailable:
            waiting = None
        if waiting is not None:
            self._unfinished.clear()
            for source in self._sources | waiting.keys():
                self._unfinished.labels(source).set(waiting.get(source, 0))
        return generate_latest(self._registry)

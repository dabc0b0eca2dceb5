"""What the receiver counts, for Prometheus: https://prometheus.io/docs/practices/naming/

Labels come from registrar.yml and from us alone; what a sender chose would make series without end. One process
counts (gunicorn_conf.py has one worker).
"""

from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest

from webhooks.source import Verified

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNKNOWN = "(unknown)"  # stands for all sources that registrar.yml does not have
_SECRETS = ("first", "second")  # in the order of registrar.yml


class Metrics:
    """Of one receiver. sources: their names."""

    def __init__(self, sources: Collection[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which says when the first began
        self._sources = frozenset(sources)
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

    def answered(self, name: str, status: int) -> None:
        self._answers.labels(name if name in self._sources else UNKNOWN, str(status)).inc()

    def verified(self, name: str, verified: Verified) -> None:
        """name: of a source of registrar.yml."""
        by = "none" if verified.secret_index is None else _SECRETS[verified.secret_index]
        self._verified.labels(name, by).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)

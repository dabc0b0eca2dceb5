"""Checks whether the receiver can accept events, part by part; at most once a second however often it is asked."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from registrar.broker.dispatcher import Dispatcher
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.capacity import LEAST_FREE, Capacity, free_bytes, probe
from registrar.text.wording import plural
from webhooks.caches import SingleFlightCache
from webhooks.ingress.errors import InvalidEvent, NotReady

log = logging.getLogger(__name__)

# GET /healthz checks nothing: a process that answers is alive.
ALIVE_PATH, ALIVE = "/healthz", {"status": "alive"}
FRESH = 1.0  # seconds between two checks
_MIB = 2**20


@dataclass(frozen=True)
class Finding:
    """The state of one part. detail: a sentence that names no host and no path."""

    status: Literal["pass", "warn", "fail"]
    detail: str


class Health:
    """One per process; thread-safe. While one thread checks, the others get the last findings."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, capacity: Capacity) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._capacity = capacity
        self._last: Mapping[str, Finding] = {}
        self._findings = SingleFlightCache(self._check, keep_for=lambda _: FRESH)

    def ready(self, excluded: Collection[str] = ()) -> dict[str, object]:
        """Return all findings. Raises NotReady if one fails that is not excluded, InvalidEvent for other names."""
        findings = self._findings()
        if unknown := sorted(set(excluded) - set(findings)):
            raise InvalidEvent(f"exclude knows {', '.join(findings)}; not {unknown[0][:64]!r}")
        checks = {name: asdict(finding) for name, finding in findings.items()}
        failing = [name for name, finding in findings.items() if finding.status == "fail" and name not in excluded]
        if failing:
            raise NotReady("; ".join(findings[name].detail for name in failing), checks=checks)
        return {"status": "ready", "checks": checks}

    def passing(self) -> Mapping[str, bool]:
        """Return for each part whether it does not fail."""
        return {name: finding.status != "fail" for name, finding in self._findings().items()}

    def _check(self) -> Mapping[str, Finding]:
        before, self._last = self._last, {name: check() for name, check in self._parts().items()}
        _log_changes(before, self._last)
        return self._last

    def _parts(self) -> dict[str, Callable[[], Finding]]:
        return {"ledger": self._writable, "disk": self._disk, "broker": self._broker, "work": self._work}

    def _writable(self) -> Finding:
        try:
            self._ledger.written(probe)
        except LedgerUnavailable as error:
            log.warning("not ready: the ledger %s: %s", error.reason, error)
            return Finding("fail", f"the ledger {error.reason}: nothing is accepted until it can be written again")
        return Finding("pass", "takes writes")

    def _disk(self) -> Finding:
        free = free_bytes(self._ledger)
        if free is None:
            return Finding("pass", "belongs to the database server; not checked")
        if free < LEAST_FREE:
            why = f"below {LEAST_FREE // _MIB} MiB nothing is accepted, so that accepted tasks can be finished"
            return Finding("fail", f"the ledger's disk has {free / _MIB:.1f} MiB left; {why}")
        return Finding("pass", f"{free // _MIB} MiB free")

    def _broker(self) -> Finding:
        if self._dispatcher.answers():
            return Finding("pass", "answers")
        return Finding("fail", "the broker does not answer; events are kept, and applied when it answers again")

    def _work(self) -> Finding:
        """Warn at most: with a full queue the receiver still accepts people's decisions, and tells senders to wait."""
        try:
            waiting = sum(self._capacity.unfinished().values())
        except LedgerUnavailable as error:
            return Finding("warn", f"can't be counted: the ledger {error.reason}")
        detail = f"{plural(waiting, 'task is', 'tasks are')} not done yet; at most {self._capacity.bound:,} may wait"
        return Finding("warn" if waiting >= self._capacity.bound else "pass", detail)


def _log_changes(before: Mapping[str, Finding], now: Mapping[str, Finding]) -> None:
    """Log each change once."""
    for name, finding in now.items():
        was = before[name].status if name in before else "pass"
        if finding.status == "fail" and was != "fail" and name != "ledger":  # _writable logs the driver's message
            log.warning("not ready: %s: %s", name, finding.detail)
        elif was == "fail" and finding.status != "fail":
            log.info("%s passes again: %s", name, finding.detail)

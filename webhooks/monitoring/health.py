"""Whether the receiver can accept, part by part; asked by whoever likes, and looked at once a second at most."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from registrar.broker.dispatcher import Dispatcher
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.capacity import LEAST_FREE, Capacity, free_bytes, probe
from registrar.text.wording import plural
from webhooks.ingress.errors import InvalidEvent, NotReady

log = logging.getLogger(__name__)

# What GET /healthz answers, by no look at anything: whoever answers is alive.
ALIVE_PATH, ALIVE = "/healthz", {"status": "alive"}
FRESH = 1.0  # second
_MIB = 2**20


@dataclass(frozen=True)
class Finding:
    """Of one part. detail: a sentence that names no host and no path."""

    status: Literal["pass", "warn", "fail"]
    detail: str


class Health:
    """Shared by all threads: while one looks, the others are told what was found before."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, capacity: Capacity) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._capacity = capacity
        self._turn = threading.Lock()
        self._found: Mapping[str, Finding] = {}
        self._until = 0.0

    def ready(self, excluded: Collection[str] = ()) -> dict[str, object]:
        """All parts. Raises NotReady where one that is not excluded fails, and InvalidEvent for an unknown name."""
        found = self._findings()
        if unknown := sorted(set(excluded) - set(found)):
            raise InvalidEvent(f"exclude knows {', '.join(found)}; not {unknown[0][:64]!r}")
        checks = {name: asdict(finding) for name, finding in found.items()}
        failing = [one.detail for name, one in found.items() if one.status == "fail" and name not in excluded]
        if failing:
            raise NotReady("; ".join(failing), checks=checks)
        return {"status": "ready", "checks": checks}

    def passing(self) -> Mapping[str, bool]:
        """By part, whether it can do its share of accepting."""
        return {name: finding.status != "fail" for name, finding in self._findings().items()}

    def _findings(self) -> Mapping[str, Finding]:
        if self._found and time.monotonic() < self._until:
            return self._found
        if self._turn.acquire(blocking=not self._found):
            try:
                before, self._found = self._found, {name: look() for name, look in self._parts().items()}
                _tell(before, self._found)
                self._until = time.monotonic() + FRESH
            finally:
                self._turn.release()
        return self._found

    def _parts(self) -> dict[str, Callable[[], Finding]]:
        return {"ledger": self._writable, "disk": self._disk, "broker": self._broker, "work": self._work}

    def _writable(self) -> Finding:
        try:
            self._ledger.written(probe)
        except LedgerUnavailable as error:
            log.warning("not ready: the ledger %s: %s", error.reason, error)
            return Finding("fail", f"the ledger {error.reason}: nothing can be accepted until it is written again")
        return Finding("pass", "takes writes")

    def _disk(self) -> Finding:
        free = free_bytes(self._ledger)
        if free is None:
            return Finding("pass", "is the database server's own")
        if free < LEAST_FREE:
            least = f"below {LEAST_FREE // _MIB} MiB nothing is accepted, so that what was can be finished"
            return Finding("fail", f"the ledger's disk has {free / _MIB:.1f} MiB left; {least}")
        return Finding("pass", f"{free // _MIB} MiB free")

    def _broker(self) -> Finding:
        if self._dispatcher.answers():
            return Finding("pass", "answers")
        return Finding("fail", "the broker does not answer; events are kept, and applied when it is back")

    def _work(self) -> Finding:
        """No reason to be taken out: what people decide still gets through, and who is refused is told to wait."""
        try:
            waiting = sum(self._capacity.unfinished().values())
        except LedgerUnavailable as error:
            return Finding("warn", f"can't be counted: the ledger {error.reason}")
        said = f"{plural(waiting, 'task is', 'tasks are')} not done yet, {self._capacity.bound:,} may wait"
        return Finding("warn" if waiting >= self._capacity.bound else "pass", said)


def _tell(before: Mapping[str, Finding], now: Mapping[str, Finding]) -> None:
    """The log says what changed, once, however often it is looked at."""
    for name, found in now.items():
        was = before[name].status if name in before else "pass"
        if found.status == "fail" and was != "fail" and name != "ledger":  # of that, the driver's words are there
            log.warning("not ready: %s: %s", name, found.detail)
        elif was == "fail" and found.status != "fail":
            log.info("%s is well again: %s", name, found.detail)

"""Writes rows of `rejections`, in a thread of its own and at a bounded rate.

In each minute the first MOST rejections per source get a row each (unknown sources count as one source); one row at the
minute's end counts the others. The ledger drops the oldest rows (ledger/rejections.py).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from registrar.ledger import Ledger, rejections
from registrar.ledger.engine import now
from webhooks.ingress.errors import Rejected, Unavailable
from webhooks.ingress.validation import clean
from webhooks.monitoring.metrics import UNKNOWN

log = logging.getLogger(__name__)

# Rows per source and minute.
MOST = 100
MINUTE = 60.0
# Seconds without an attempt after a row that could not be written.
PAUSE = 5.0


class RejectionLog:
    """Thread-safe; `write` never blocks. known: names of the sources of registrar.yml."""

    def __init__(self, ledger: Ledger, known: Collection[str]) -> None:
        self._ledger = ledger
        self._known = frozenset(known)
        self._lock = threading.Lock()
        self._ends = self._silent_until = 0.0
        self._seen: Counter[str] = Counter()
        self._more: Counter[tuple[str, str]] = Counter()
        self._writer = ThreadPoolExecutor(1, "rejections")

    def write(self, name: str, rejected: Rejected, size: int | None) -> None:
        """Log a rejection, and queue its row, unless the ledger itself was unavailable. size: the body's, in bytes.

        A failure to write is logged and changes nothing for the client.
        """
        if self._is_one_of_many(name if name in self._known else UNKNOWN, rejected.code):
            return
        about = {"source": name, "code": rejected.code}
        bytes_ = "" if size is None else f" ({size} bytes)"
        log.warning("refused %s from %s%s", rejected.code, name, bytes_, extra={"about": about})
        if not isinstance(rejected, Unavailable):
            self._insert_soon(name, rejected.status, rejected.code, clean(rejected.detail, length=1000), size)

    def summarize(self) -> None:
        """Queue one row per source that had more than MOST rejections in the minute."""
        with self._lock:
            more, self._more = self._more, Counter()
        for name in sorted({source for source, _ in more}):
            codes = {code: count for (source, code), count in more.items() if source == name}
            why = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
            detail = f"and {sum(codes.values())} more within the minute, which are not written one by one: {why}"
            log.warning("refused from %s: %s", name, detail)
            self._insert_soon(name, 429, "and_more", detail, None)

    def drain(self) -> None:
        """Wait until all rows queued so far are written or given up."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """Write the queued rows, then end the thread."""
        self._writer.shutdown()

    def _is_one_of_many(self, source: str, code: str) -> bool:
        with self._lock:
            if time.monotonic() >= self._ends:
                self._ends = time.monotonic() + MINUTE
                self._seen.clear()
            self._seen[source] += 1
            if self._seen[source] <= MOST:
                return False
            if not self._more:
                self._summarize_later(self._ends - time.monotonic())
            self._more[source, code] += 1
            return True

    def _summarize_later(self, seconds: float) -> None:
        timer = threading.Timer(max(0.0, seconds), self.summarize)
        timer.daemon = True
        timer.start()

    def _insert_soon(self, source: str, status: int, code: str, detail: str, size: int | None) -> None:
        if time.monotonic() >= self._silent_until:
            self._writer.submit(self._insert, source, status, code, detail, size)

    def _insert(self, source: str, status: int, code: str, detail: str, size: int | None) -> None:
        at = now()
        try:
            with self._ledger.write() as connection:
                rejections.record(connection, source=source, status=status, code=code, detail=detail, size=size, at=at)
        except rejections.WRITE_ERRORS:
            self._silent_until = time.monotonic() + PAUSE
            log.exception("the rejection could not be recorded")

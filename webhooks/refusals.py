"""Every error's answer, and the rows in `rejections`: bounded, however much garbage comes.

Of each minute the first MOST refusals per source are written one by one, and all unknown sources are one; how many
more there were, and why, is one row at the minute's end. The ledger drops the oldest (ledger/rejections.py).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from registrar.ledger import Ledger, LedgerUnavailable, rejections
from registrar.ledger.accept import DeliveryConflict
from registrar.ledger.engine import now
from registrar.reading.reading import BadQuestion, Unknown
from webhooks import errors
from webhooks.arriving import Arriving
from webhooks.clean import clean
from webhooks.crew import together
from webhooks.door import WEBHOOKS
from webhooks.errors import Rejected, TooMany
from webhooks.metrics import UNKNOWN, Metrics
from webhooks.postbox import Postbox
from webhooks.rate import REFUSALS, Limits, address_key

log = logging.getLogger(__name__)

MOST = 100  # rows per source and minute
MINUTE = 60.0
PAUSE = 5.0  # after a refusal that could not be recorded


class Refusals:
    """The one error handler. A refused webhook is recorded; its sender, unless it was verified, uses up its budget."""

    def __init__(
        self, record: "Record", rate: Limits, postbox: Postbox, scrub: Callable[[str], str], metrics: Metrics
    ) -> None:
        self._record = record
        self._rate = rate
        self._postbox = postbox
        self._scrub = scrub
        self._metrics = metrics

    def answer(self, error: Exception) -> flask.Response:
        rejected = self._quoted(rejected_of(error))
        if flask.request.path.startswith(WEBHOOKS):
            rejected = self._bounded(rejected)
            name = self._scrub(clean(flask.request.path.removeprefix(WEBHOOKS), length=64))
            self._metrics.refused(name, rejected.code)
            arriving = _arriving()
            self._record.write(name, rejected, arriving.size if arriving else None)
        if (told := self._told(rejected)) is not None:
            return flask.jsonify(told)
        response = flask.jsonify(rejected.problem())
        response.status_code, response.mimetype = rejected.status, "application/problem+json"
        response.headers.extend(rejected.headers)
        if rejected.retry_after:
            response.headers["Retry-After"] = str(rejected.retry_after)
        if isinstance(error, HTTPException):
            response.headers.extend({k: v for k, v in error.get_headers() if k == "Allow"})
        return response

    def _quoted(self, rejected: Rejected) -> Rejected:
        """Who takes a secret for a part of the address, or for a content type, is quoted without it."""
        rejected.detail = self._scrub(rejected.detail)
        return rejected

    def _told(self, rejected: Rejected) -> Mapping[str, Any] | None:
        """What comes with a 200 in place of the problem, where a person would see nothing of that."""
        arriving = _arriving()
        if arriving is None or arriving.heard is None:
            return None
        sender, request = arriving.heard
        if letter := sender.letter(request, rejected):
            return {} if self._postbox.post(letter) else None
        return sender.phrase(request, rejected)

    def _bounded(self, rejected: Rejected) -> Rejected:
        """Only what would be refused anyway is: behind a proxy, all senders have one address, honest ones too."""
        arriving = _arriving()
        verified = arriving is not None and arriving.heard is not None
        if verified or rejected.status >= 500 or isinstance(rejected, TooMany):
            return rejected
        try:
            self._rate.count(REFUSALS, "refused", address_key(flask.request.remote_addr))
        except TooMany as error:
            return error
        return rejected


def _arriving() -> Arriving | None:
    """What was found out of a webhook before it was refused."""
    return cast("Arriving | None", flask.g.get("arriving"))


class Record:
    """Writes refusals into the ledger; of many, how many."""

    def __init__(self, ledger: Ledger, known: Collection[str]) -> None:
        self._ledger = ledger
        self._known = frozenset(known)
        self._lock = threading.Lock()
        self._ends = self._silent_until = 0.0
        self._seen: Counter[str] = Counter()
        self._more: Counter[tuple[str, str]] = Counter()

    def write(self, name: str, rejected: Rejected, size: int | None) -> None:
        """A refusal that can't be recorded is still a refusal. One by the ledger itself is not even tried."""
        if self._is_one_of_many(name if name in self._known else UNKNOWN, rejected.code):
            return
        about = {"source": name, "code": rejected.code}
        log.warning("refused %s from %s (%s bytes)", rejected.code, name, size, extra={"about": about})
        if not isinstance(rejected, errors.Unavailable):
            self._insert(name, rejected.status, rejected.code, clean(rejected.detail, length=1000), size)

    def flush(self) -> None:
        """One row per source that had more than MOST refusals in the minute."""
        with self._lock:
            more, self._more = self._more, Counter()
        for name in sorted({source for source, _ in more}):
            codes = {code: count for (source, code), count in more.items() if source == name}
            why = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
            detail = f"and {sum(codes.values())} more within the minute, which are not written one by one: {why}"
            log.warning("refused from %s: %s", name, detail)
            self._insert(name, 429, "and_more", detail, None)

    def _is_one_of_many(self, source: str, code: str) -> bool:
        with self._lock:
            if time.monotonic() >= self._ends:
                self._ends = time.monotonic() + MINUTE
                self._seen.clear()
            self._seen[source] += 1
            if self._seen[source] <= MOST:
                return False
            if not self._more:
                self._flush_later(self._ends - time.monotonic())
            self._more[source, code] += 1
            return True

    def _flush_later(self, seconds: float) -> None:
        timer = threading.Timer(max(0.0, seconds), self.flush)
        timer.daemon = True
        timer.start()

    def _insert(self, source: str, status: int, code: str, detail: str, size: int | None) -> None:
        """Whoever is refused while the ledger can't be written does not wait for it, but for the first in PAUSE."""
        if time.monotonic() < self._silent_until:
            return
        row = {"source": source, "status": status, "code": code, "detail": detail, "size": size, "at": now()}
        try:
            together(self._insert_all, row)
        except (LedgerUnavailable, SQLAlchemyError):
            self._silent_until = time.monotonic() + PAUSE
            log.exception("the refusal could not be recorded")

    def _insert_all(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[None]:
        with self._ledger.write() as connection:
            for row in rows:
                rejections.record(connection, **row)
        return [None] * len(rows)


def rejected_of(error: Exception) -> Rejected:
    """Every error as one of ours. What nobody foresaw is logged with its traceback, and told without it."""
    match error:
        case Rejected():
            return error
        case Unknown() | BadQuestion():
            kind = errors.NotFound if isinstance(error, Unknown) else errors.InvalidQuery
            return kind(str(error))
        case DeliveryConflict():
            return errors.DeliveryReused(str(error))
        case LedgerUnavailable():
            log.warning("the ledger is not available: %s", error)
            return errors.Unavailable(
                f"the ledger {error.reason}; nothing was accepted, send it again", why=f"its database {error.reason}"
            )
        case HTTPException(code=int(status)):
            return errors.Refused(error.description or error.name, status=status)
    log.error("unexpected", exc_info=error)
    return errors.Broken("something broke in the receiver; its log says what, and sending it again does no harm")

"""Turns every error of every route into a response: problem+json by the classes of webhooks/ingress/errors.py.

A refused webhook is also recorded and, unless it was verified, counted against its address. Nothing here blocks, since
it also runs on the event loop.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.exceptions import HTTPException

from registrar.ledger import LedgerUnavailable
from registrar.ledger.capacity import DiskFull, NoCapacity
from registrar.ledger.deliveries import DeliveryConflict
from registrar.queries.query_service import BadQuestion, Unknown
from webhooks.ingress import errors
from webhooks.ingress.chat_reply import ChatResponder
from webhooks.ingress.errors import Rejected, TooMany
from webhooks.ingress.rate_limit import REFUSALS, Limits, address_key
from webhooks.ingress.rejection_log import RejectionLog
from webhooks.ingress.request import HttpRequest, HttpResponse, json_response
from webhooks.ingress.validation import clean
from webhooks.monitoring.metrics import Metrics

log = logging.getLogger(__name__)


class ErrorHandler:
    """One per process; thread-safe."""

    def __init__(
        self,
        rejections: RejectionLog,
        rate: Limits,
        chat_responder: ChatResponder,
        redact: Callable[[str], str],
        metrics: Metrics,
    ) -> None:
        self._rejections = rejections
        self._rate = rate
        self._chat_responder = chat_responder
        self._redact = redact
        self._metrics = metrics

    def refuse(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """Record and count a refused webhook, and return its response, in the sender's own form if it has one."""
        rejected = self._bounded(request, self._redacted(rejected_of(error)))
        name = self._redact(clean(request.source, length=64))
        self._rejections.write(name, rejected, request.size)
        self._metrics.refused(name, rejected.code)
        chat_answer = self._chat_answer(request, rejected)
        response = _problem(rejected, error) if chat_answer is None else json_response(200, chat_answer)
        self._metrics.answered(name, response.status)
        return response

    def explain(self, error: Exception) -> HttpResponse:
        """Return the response to any other failed request."""
        return _problem(self._redacted(rejected_of(error)), error)

    def _redacted(self, rejected: Rejected) -> Rejected:
        """Redact secrets in the detail, which quotes what a sender put into its address or content type by mistake."""
        rejected.detail = self._redact(rejected.detail)
        return rejected

    def _chat_answer(self, request: HttpRequest, rejected: Rejected) -> Mapping[str, Any] | None:
        """Return the body of a 200, for chat systems that don't show error responses; None: answer with the problem."""
        if request.verified is None:
            return None
        source, content = request.verified
        if async_reply := source.async_reply(content, rejected):
            return {} if self._chat_responder.post(async_reply) else None
        return source.refusal_body(content, rejected)

    def _bounded(self, request: HttpRequest, rejected: Rejected) -> Rejected:
        """Count a refusal against its address; return 429 instead if the address had too many.

        Accepted requests are never limited this way: behind a proxy all senders may share one address.
        """
        if request.verified or rejected.status >= 500 or isinstance(rejected, TooMany):
            return rejected
        try:
            self._rate.count(REFUSALS, "refused", address_key(request.address))
        except TooMany as error:
            return error
        return rejected


def _problem(rejected: Rejected, error: Exception) -> HttpResponse:
    """Return a problem document: https://www.rfc-editor.org/rfc/rfc9457"""
    headers = dict(rejected.headers)
    if rejected.retry_after:
        headers["Retry-After"] = str(rejected.retry_after)
    if isinstance(error, HTTPException):
        headers.update((name, value) for name, value in error.get_headers() if name == "Allow")
    return json_response(rejected.status, rejected.problem(), headers, content_type="application/problem+json")


def rejected_of(error: Exception) -> Rejected:
    """Return the Rejected for any error. An unexpected error is logged with its traceback; the response has none."""
    match error:
        case Rejected():
            return error
        case Unknown() | BadQuestion():
            return errors.NotFound(str(error)) if isinstance(error, Unknown) else errors.InvalidQuery(str(error))
        case DeliveryConflict() | NoCapacity() | LedgerUnavailable():
            return _not_accepted(error)
        case TimeoutError():
            return errors.Unavailable(
                "the ledger did not answer in time, so it is not known whether this was accepted; send it again "
                "unchanged, it counts once",
                why="its database does not answer",
            )
        case HTTPException(code=int(status)):
            return errors.Refused(error.description or error.name, status=status)
    log.error("unexpected error", exc_info=error)
    return errors.Broken("the receiver has a defect, see its log; sending the request again does no harm")


def _not_accepted(error: DeliveryConflict | NoCapacity | LedgerUnavailable) -> Rejected:
    """Return the Rejected for an error of the inbox."""
    match error:
        case DeliveryConflict():
            return errors.DeliveryReused(str(error))
        case DiskFull():
            return errors.Unavailable(str(error), why="the disk of its database is full")
        case NoCapacity():
            return errors.Full(str(error))
        case LedgerUnavailable():
            log.warning("the ledger is not available: %s", error)
            return errors.Unavailable(
                f"the ledger {error.reason}; nothing was accepted, send it again", why=f"its database {error.reason}"
            )

"""Gives every page an ETag of the ledger's state, so that an open page can ask cheaply whether it is still current.

The script polls the page's own address with If-None-Match: 304 without a body while nothing changed, and the page anew
otherwise. The ETag is weak: two renderings differ in their form keys. https://www.rfc-editor.org/rfc/rfc9110#section-8.8
"""

import threading
import time

from flask import Blueprint, Response, g, request
from werkzeug.http import quote_etag

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.queries import activity
from webhooks.dashboard.context import DashboardContext

# Seconds. However many tabs are open, a process reads the ledger's state once in them.
FRESH = 1.0


class ChangeFeed:
    """Knows the ledger's state as an ETag. One per app, shared by all threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reading = threading.Lock()
        self._etag: str | None = None
        self._until = float("-inf")

    def etag(self) -> str | None:
        """Return the ETag, about FRESH old at most. None: the ledger is unavailable, or is asked for the first time.

        Never waits for another thread's look. An ETag older than its page is harmless: the page is read once more.
        """
        if time.monotonic() >= self._until and self._reading.acquire(blocking=False):
            try:
                self._etag = self._read_etag()
                self._until = time.monotonic() + FRESH
            finally:
                self._reading.release()
        return self._etag

    def _read_etag(self) -> str | None:
        try:
            with self._ledger.read() as connection:
                return quote_etag("-".join(map(str, activity.pulse(connection))), weak=True)
        except LedgerUnavailable:
            return None  # the page reads the same ledger, and says so


def register(pages: Blueprint, context: DashboardContext) -> None:
    changes = ChangeFeed(context.ledger)

    @pages.before_request
    def answer_unchanged() -> Response | None:
        """Take the ETag before the page is read: a change in between is then seen by the next poll."""
        if request.method not in ("GET", "HEAD") or request.endpoint == "pages.static":
            return None
        g.etag = changes.etag()
        if g.etag is None or not request.if_none_match.contains_raw(g.etag):
            return None
        context.require_principal()
        return _tagged(Response(status=304))

    @pages.after_request
    def add_etag(response: Response) -> Response:
        return _tagged(response) if response.status_code == 200 and response.mimetype == "text/html" else response


def _tagged(response: Response) -> Response:
    if etag := g.get("etag"):
        response.headers["ETag"] = etag
    return response

"""Gives every page an ETag of the ledger's state, so that an open page can check cheaply whether it is still current.

The script polls the page's own address with If-None-Match. The answer is a 304 without a body while nothing changed,
else the whole page. The ETag is weak: two renderings differ in their form keys.
https://www.rfc-editor.org/rfc/rfc9110#section-8.8
"""

from flask import Blueprint, Response, g, request
from werkzeug.http import quote_etag

from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger.queries import activity
from webhooks.caches import SingleFlightCache
from webhooks.dashboard.context import DashboardContext

# Pages of which nothing is in the ledger, and which anybody may see.
_OF_NO_LEDGER = frozenset({"pages.static", "pages.sign_in_link", "pages.api_reference"})
# Seconds in which a process reads the ledger's state once, however many tabs are open.
FRESH = 1.0


class ChangeFeed:
    """Knows the ledger's state as an ETag, at most FRESH seconds old. One per app; thread-safe.

    An ETag that is older than its page is harmless: the page is read once more.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._etag = SingleFlightCache(self._read_etag, keep_for=lambda _: FRESH)

    def etag(self) -> str | None:
        """Return the ETag; None if the ledger is unavailable."""
        return self._etag()

    def _read_etag(self) -> str | None:
        try:
            with self._ledger.read() as connection:
                return quote_etag("-".join(map(str, activity.change_counters(connection))), weak=True)
        except LedgerUnavailable:
            return None  # reading the page fails, too, and says so


def register(pages: Blueprint, context: DashboardContext) -> None:
    changes = ChangeFeed(context.ledger)

    @pages.before_request
    def answer_unchanged() -> Response | None:
        """Read the ETag before the page: the next poll then sees a change in between."""
        if request.method not in ("GET", "HEAD") or request.endpoint in _OF_NO_LEDGER:
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

"""Error pages: the sentence of the API's answer, how to sign in, and what is near of what is not there."""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

import flask
from flask import Response, request, url_for

from registrar.http.safe_url import at_loopback
from registrar.ledger import LedgerUnavailable
from registrar.queries import finder
from registrar.text.wording import nearest
from webhooks.auth import SIGN_IN
from webhooks.dashboard.context import DashboardContext, here
from webhooks.dashboard.search import linked
from webhooks.ingress.error_handlers import rejected_of
from webhooks.ingress.errors import CrossSite, NotFound, NotPermitted, NotSignedIn, Rejected
from webhooks.ingress.validation import clean

LISTS = ("events", "promotions", "models", "dead", "rejections", "policy", "audit", "find", "docs")
# Paths of programs: what is not there is a problem document, to browsers too.
_PROGRAMS = ("/v1", "/webhooks")
_MOST_NEAR = 5
_FEW_OF_ID = 14  # characters: the kind, and the time to some four minutes
Near = list[tuple[str, str]]  # words and addresses of links
_TYPES = ("application/problem+json", "application/json", "text/html")  # without a preference, a client is a program


class Errors:
    """The pages' error handler."""

    def __init__(self, context: DashboardContext) -> None:
        self._context = context

    def answer(self, error: Exception) -> Response:
        rejected, access = rejected_of(error), self._context.access
        principal = None if isinstance(error, NotSignedIn) else self._context.principal_if_known()
        text = flask.render_template(
            "pages/error.html",
            problem=rejected,
            principal=principal,
            csrf=access.csrf_token(principal) if principal else None,
            sign_out=None if principal else self._sign_out_token(),
            back=_back(),
            sign_in=access.sign_in_path(_back()),
            provider=self._provider(),
            stranger=isinstance(error, NotPermitted) and (principal is None or request.path.startswith(SIGN_IN)),
            unknown=isinstance(error, NotSignedIn),
            undone=request.method == "POST" and isinstance(error, NotSignedIn | NotPermitted | CrossSite),
            near=self._near() if rejected.status == 404 and principal else [],
            by_link=url_for("pages.sign_in_link", next=None if _back() == "/" else _back()),
            by_proxy=self._has_proxy(),
            by_machine=self._machine(),
        )
        response = Response(text, rejected.status, content_type="text/html; charset=utf-8")
        response.headers.extend(_headers(rejected))
        return response

    def for_browsers(self, otherwise: Callable[[Exception], Response]) -> Callable[[Exception], Response]:
        """Return a handler that answers browsers, by their Accept header, with a page, and programs by `otherwise`."""

        def answer(error: Exception) -> Response:
            is_browser = request.accept_mimetypes.best_match(_TYPES) == "text/html"
            return self.answer(error) if is_browser else otherwise(error)

        return answer

    def for_lost(self, otherwise: Callable[[Exception], Response]) -> Callable[[Exception], Response]:
        """Return a handler that answers a browser at an address that is nothing's with a page, and all else by
        `otherwise`.
        """
        to_browsers = self.for_browsers(otherwise)

        def answer(error: Exception) -> Response:
            if request.url_rule is not None or request.path.startswith(_PROGRAMS):
                return otherwise(error)
            is_nothing = rejected_of(error).status == 404
            return to_browsers(NotFound(f"there is no page {clean(request.path)}") if is_nothing else error)

        return answer

    def _near(self) -> Near:
        """Return links to what is most like what is not there: models, or what an id's beginning is of; else a list."""
        wanted = request.view_args or {}
        name, id_ = wanted.get("name"), next((wanted[key] for key in wanted if key.endswith("_id")), None)
        try:
            with self._context.ledger.read() as connection:
                if name:
                    hits = [hit for hit in finder.near(connection, self._context.policy, name) if hit.model]
                else:
                    hits = list(finder.find(connection, self._context.policy, id_[:_FEW_OF_ID]).hits) if id_ else []
        except LedgerUnavailable:
            return []
        found = [(hit.about, address) for hit, address in linked(hits[:_MOST_NEAR])]
        page = None if wanted else nearest(request.path.strip("/").split("/")[0], LISTS)
        return [*found, (f"/{page}", f"/{page}")] if page else found

    def _has_proxy(self) -> bool:
        proxy = self._context.policy.access.trusted_proxy
        return bool(proxy and proxy.header)

    def _machine(self) -> str | None:
        """Return the address at which who sits at the receiver's machine is signed in; None: nobody is by that."""
        base = self._context.commands.public_url
        return base or "http://127.0.0.1:PORT" if base is None or at_loopback(base) else None

    def _sign_out_token(self) -> str | None:
        """Return a sign-out token if there is a session: a person may have one without a role."""
        try:
            return self._context.access.sign_out_token(request)
        except LedgerUnavailable:
            return None

    def _provider(self) -> str | None:
        """Return the provider's host."""
        oidc = self._context.policy.access.oidc
        return urlsplit(oidc.issuer).netloc if oidc else None


def _headers(rejected: Rejected) -> dict[str, str]:
    wait = {"Retry-After": str(rejected.retry_after)} if rejected.retry_after else {}
    return {**rejected.headers, **wait}


def _back() -> str:
    """Return the path of the requested page, or of the page with the form; always one of ours."""
    if request.path.startswith(SIGN_IN):
        return "/"
    if request.method == "GET":
        return here()
    return quote(request.path).rsplit("/", 1)[0] or "/"

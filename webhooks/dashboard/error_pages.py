"""Error pages: the sentence of the API's answer, and how to sign in."""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

import flask
from flask import Response, request, url_for

from registrar.http.safe_url import at_loopback
from registrar.ledger import LedgerUnavailable
from webhooks.auth import SIGN_IN
from webhooks.dashboard.context import DashboardContext, here
from webhooks.ingress.error_handlers import rejected_of
from webhooks.ingress.errors import CrossSite, NotPermitted, NotSignedIn, Rejected

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

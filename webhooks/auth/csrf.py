"""Checks that a form comes from one of our own pages, made for the person who sends it.

A cookie, a proxy or a loopback address authenticates every request of a browser, also one that another site's page
makes. Such a page can't read ours, fake its Origin, or add a custom header. A program on the receiver's machine has no
page, and sends such a header.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from datetime import timedelta
from urllib.parse import urlsplit

import flask
from itsdangerous import BadData, URLSafeTimedSerializer

from registrar.ledger.engine import now
from webhooks.auth.identity import Principal
from webhooks.auth.signing_keys import opened
from webhooks.ingress.errors import CrossSite

FIELD = "csrf"
HEADER = "X-CSRF-Token"
PROGRAM = "X-Requested-By"
LASTS = timedelta(hours=12)  # a page may stay open for so long
# Ports that browsers omit. https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin
_OWN_PORTS = {"http": ":80", "https": ":443"}


class CsrfProtection:
    """Makes and checks form tokens.

    public_url: where browsers reach us, if a proxy changes the Host on the way. Raises ValueError for no URL.
    """

    def __init__(self, signer: URLSafeTimedSerializer, public_url: str | None) -> None:
        self._signer = signer
        self._public = _public_origin(public_url) if public_url else None

    def token(self, principal: Principal) -> str:
        """Make a token that is valid for this principal's forms only."""
        return str(self._signer.dumps(_bound_to(principal)))

    def session_token(self, session: str) -> str:
        """Make a token that is valid for this session's forms only."""
        return str(self._signer.dumps(_bound_to_session(session)))

    def check(self, request: flask.Request, principal: Principal) -> None:
        """Raises CrossSite. A bearer of a token is not checked: another site's page can't send the header."""
        if principal.by == "token":
            return
        self.check_site(request)
        if principal.by == "loopback" and _is_program(request):
            return
        self._check_token(request, _bound_to(principal))

    def check_session(self, request: flask.Request, session: str) -> None:
        """Check a form that takes a session but no role. Raises CrossSite."""
        self.check_site(request)
        self._check_token(request, _bound_to_session(session))

    def _check_token(self, request: flask.Request, expected: list[str]) -> None:
        given = request.headers.get(HEADER) or request.form.get(FIELD) or ""
        try:
            bound_to, _ = opened(self._signer, given, lasts=LASTS, at=now())
        except (BadData, ValueError):
            bound_to = None
        if bound_to != expected:
            raise CrossSite(
                "the form is none of ours, or too old: load the page again and resend the form; programs send a token "
                f"(`registrar token create`), what a page has as {FIELD!r} as the header {HEADER}, or, on the "
                f"receiver's machine, their name as the header {PROGRAM}"
            )

    def check_site(self, request: flask.Request) -> None:
        """Raises CrossSite where the browser says that another site's page sent it. Old browsers say nothing."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site not in (None, "same-origin", "none") or (origin and not self._is_ours(origin, request)):
            raise CrossSite(
                "another site's page sent this: do it on Registrar's own page "
                "(or REGISTRAR_PUBLIC_URL is not the address that browsers know us by)"
            )

    def _is_ours(self, origin: str, request: flask.Request) -> bool:
        given = _origin(origin)
        return given is not None and given in (_origin(request.host_url), self._public)


def _is_program(request: flask.Request) -> bool:
    """Return whether a program sent it. A browser sends Origin with each POST, and before it adds our header to another
    site's request it sends a CORS preflight, which no route here allows.
    """
    told = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    return bool(request.headers.get(PROGRAM)) and not told


def _bound_to(principal: Principal) -> list[str]:
    """Return what a token is bound to: the session's id, which outlasts a change of role, else the principal."""
    return _bound_to_session(principal.session) if principal.session else [principal.by, principal.actor.id]


def _bound_to_session(session: str) -> list[str]:
    return ["session", session]


def _public_origin(url: str) -> tuple[str, str]:
    found = _origin(url)
    if found is None:
        raise ValueError(f"REGISTRAR_PUBLIC_URL={url!r} is no address such as https://registrar.example.com")
    return found


def _origin(url: str) -> tuple[str, str] | None:
    """Return the origin of a URL; None if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc.lower().removesuffix(_OWN_PORTS.get(parts.scheme, ""))

"""Checks that a form comes from one of our own pages, made for the person who sends it.

A cookie, a proxy or a loopback address authenticates every request of a browser, even if another site's page makes it.
Such a page can't read ours, fake its Origin, or add a custom header. A program on the receiver's machine has no page,
and sends such a header.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from datetime import timedelta
from urllib.parse import urlsplit

import flask
from itsdangerous import BadData, URLSafeTimedSerializer

from registrar.ledger.engine import now
from webhooks.auth.identity import Principal
from webhooks.auth.signing_keys import load_signed
from webhooks.ingress.errors import CrossSite

FIELD = "csrf"
HEADER = "X-CSRF-Token"
PROGRAM = "X-Requested-By"
LASTS = timedelta(hours=12)  # for a page that stays open
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

    def nonce_token(self, nonce: str) -> str:
        """Make a token for the forms of a browser that is nobody yet, and has this nonce in a cookie."""
        return str(self._signer.dumps(_bound_to_nonce(nonce)))

    def check(self, request: flask.Request, principal: Principal) -> None:
        """Raises CrossSite. Bearers of tokens are not checked: another site's page can't send the header."""
        if principal.by == "token":
            return
        self.check_site(request)
        if principal.by == "loopback" and _is_program(request):
            return
        self._check_token(request, _bound_to(principal))

    def check_session(self, request: flask.Request, session: str) -> None:
        """Check a form that needs a session but no role. Raises CrossSite."""
        self.check_site(request)
        self._check_token(request, _bound_to_session(session))

    def check_nonce(self, request: flask.Request, nonce: str) -> None:
        """Check a form of a browser that is nobody yet. Raises CrossSite."""
        self.check_site(request)
        self._check_token(request, _bound_to_nonce(nonce))

    def _check_token(self, request: flask.Request, expected: list[str]) -> None:
        token = request.headers.get(HEADER) or request.form.get(FIELD) or ""
        try:
            bound_to, _ = load_signed(self._signer, token, lasts=LASTS, at=now())
        except (BadData, ValueError):
            bound_to = None
        if bound_to != expected:
            raise CrossSite(
                "the form is too old, or not ours: load the page again and resend the form. Programs send a token "
                f"(`registrar token create`), a page's field {FIELD!r} as the header {HEADER}, or, on the receiver's "
                f"machine, their name as the header {PROGRAM}"
            )

    def check_site(self, request: flask.Request) -> None:
        """Raises CrossSite if the browser says that another site's page sent the request. Old browsers don't say."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        if site not in (None, "same-origin", "none") or (origin and not self._is_ours(origin, request)):
            raise CrossSite(
                "another site's page sent this: use Registrar's own page, or set REGISTRAR_PUBLIC_URL to the address "
                "that browsers use"
            )

    def _is_ours(self, origin: str, request: flask.Request) -> bool:
        parsed = _origin(origin)
        return parsed is not None and parsed in (_origin(request.host_url), self._public)


def _is_program(request: flask.Request) -> bool:
    """Return whether a program sent the request. A browser sends Origin with each POST; and before it adds our header
    to another site's request it sends a CORS preflight, which no route here allows.
    """
    by_browser = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    return bool(request.headers.get(PROGRAM)) and not by_browser


def _bound_to(principal: Principal) -> list[str]:
    """Return the session's id, which stays the same when the role changes; without a session, the principal."""
    return _bound_to_session(principal.session) if principal.session else [principal.by, principal.actor.id]


def _bound_to_session(session: str) -> list[str]:
    return ["session", session]


def _bound_to_nonce(nonce: str) -> list[str]:
    return ["nonce", nonce]


def _public_origin(url: str) -> tuple[str, str]:
    origin = _origin(url)
    if origin is None:
        raise ValueError(f"REGISTRAR_PUBLIC_URL={url!r} is no address such as https://registrar.example.com")
    return origin


def _origin(url: str) -> tuple[str, str] | None:
    """Return the origin of a URL; None if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc.lower().removesuffix(_OWN_PORTS.get(parts.scheme, ""))

"""Authenticates requests for pages and the API, and checks their role and CSRF token.

A person or program signs in by a bearer token, a trusted proxy's header, a session that an OpenID Connect provider or a
link began, or by using this machine itself.
"""

import re
from urllib.parse import urlencode

import flask

from registrar.config.settings import Settings
from registrar.ledger import Ledger
from registrar.ledger.engine import now
from registrar.policy import Policy
from registrar.policy.access import Role
from webhooks.auth.bearer_tokens import BearerTokens
from webhooks.auth.csrf import CsrfProtection
from webhooks.auth.identity import Principal, principal_of, principal_of_person
from webhooks.auth.link_sign_in import LinkSignIn
from webhooks.auth.loopback import Loopback, local_principal, looks_local
from webhooks.auth.sessions import Session, Sessions
from webhooks.auth.signing_keys import signer
from webhooks.auth.trusted_proxy import Proxy
from webhooks.ingress.errors import NotPermitted, NotSignedIn
from webhooks.ingress.rate_limit import Limits

__all__ = ["Authenticator", "Principal", "Role"]

SIGN_IN = "/signin"
# Sent with the polls of an open page (pages.js), which don't keep a session from becoming idle.
POLL_HEADER = "X-Registrar-Poll"
# One of our tokens anywhere in the header, but not as a part of another system's longer token.
_OURS = re.compile(r"(?<![A-Za-z0-9._~+/-])rgt_", re.IGNORECASE)
_BEARER = re.compile(r"\s*bearer", re.IGNORECASE)
# For requests that come from this machine, or from a proxy on it.
_WHY_NOT_LOCAL = (
    ". Requests from the receiver's own machine are not signed in while REGISTRAR_PUBLIC_URL is another host's name, "
    "since behind a proxy on it every request looks local: give programs a token (registrar's own commands take it as "
    "REGISTRAR_TOKEN or --token-file), or, without a proxy, set REGISTRAR_PUBLIC_URL to http://127.0.0.1:PORT"
)
_READS = frozenset({"GET", "HEAD"})


class Authenticator:
    """One per app. Raises ValueError where a setting can't work."""

    def __init__(self, settings: Settings, policy: Policy, ledger: Ledger, rate: Limits) -> None:
        self.policy = policy
        self._loopback = Loopback(settings.public_url)
        self.sessions = Sessions(settings.secret_key, policy, ledger, self._loopback)
        self._local = local_principal(policy, settings.local_operator)
        self._proxy = Proxy(policy.access.trusted_proxy)
        self._forms = CsrfProtection(signer(settings.secret_key, "form"), settings.public_url)
        self._bearers = BearerTokens(ledger, policy, rate)
        self.links = LinkSignIn(ledger, policy, rate, self.sessions, self._forms)

    def principal(self, request: flask.Request) -> Principal | None:
        """Return the client; None for an unknown one. Raises TooMany, LedgerUnavailable."""
        try:
            return self._authenticate(request)
        except (NotSignedIn, NotPermitted):
            return None

    def require(self, request: flask.Request, role: Role) -> Principal:
        """Return the client if it has the role. Checks the CSRF token of a request that changes something.

        Raises NotSignedIn, NotPermitted, TooMany, LedgerUnavailable, CrossSite.
        """
        principal = self._authenticate(request)
        if not principal.may(role):
            raise NotPermitted(
                f"{principal.actor.name} is signed in as {principal.role}, and this needs {role}: "
                "change `access` in registrar.yml, or use another token"
            )
        if request.method not in _READS:
            self.check_csrf(request, principal)
        return principal

    def client_address(self, request: flask.Request) -> str | None:
        """Return the address that a request counts against in rate limits. None: it has none (a Unix socket)."""
        return self._proxy.client_address(request)

    def csrf_token(self, principal: Principal) -> str:
        """Make a token for the field `csrf` of a form, or the header X-CSRF-Token."""
        return self._forms.token(principal)

    def check_csrf(self, request: flask.Request, principal: Principal) -> None:
        """Check the CSRF token; `require` does so itself. Raises CrossSite."""
        self._forms.check(request, principal)

    def sign_out_token(self, request: flask.Request) -> str | None:
        """Make a token for the form that ends a session; None without a session. Raises LedgerUnavailable."""
        session = self.sessions.find(request)
        return self._forms.session_token(session.id) if session else None

    def sign_out(self, request: flask.Request, response: flask.Response) -> Session | None:
        """End the session, if there is one: also one that registrar.yml has suspended.

        Raises CrossSite, LedgerUnavailable.
        """
        if session := self.sessions.from_cookie(request):
            self._forms.check_session(request, session.id)
            self.sessions.end(session, request, response)
        return session

    def names_somebody(self, request: flask.Request) -> bool:
        """Return whether a trusted proxy says who sent a request: then no session counts. Raises NotSignedIn."""
        return self._proxy.identity(request) is not None

    def sign_in_path(self, target: str) -> str | None:
        """Return the address of the sign-in that leads back to `target`; None without a provider."""
        return f"{SIGN_IN}?{urlencode({'next': target})}" if self.policy.access.oidc else None

    def renew(self, response: flask.Response) -> flask.Response:
        """Run after each request: keep a used session from becoming idle. Polls of an open page don't count."""
        session = flask.g.pop("session", None)
        is_poll = POLL_HEADER in flask.request.headers
        if session is not None and not is_poll and "Set-Cookie" not in response.headers:
            self.sessions.renew(session, flask.request, response)
        return response

    def _authenticate(self, request: flask.Request) -> Principal:
        """Identify the client. A request with a token of ours is its bearer's or refused, never another identity's. A
        trusted proxy may send a token of its own beside the header with the account.
        """
        authorization = request.headers.get("Authorization", "")
        if _OURS.search(authorization):
            return self._bearers.principal(authorization, self.client_address(request))
        if identity := self._proxy.identity(request):
            return principal_of(self.policy, identity, "proxy", at=now())
        if _BEARER.match(authorization):
            return self._bearers.principal(authorization, self.client_address(request))
        if session := self.sessions.find(request):
            flask.g.session = session
            return self._principal_of(session)
        if authorization:
            return self._bearers.principal(authorization, self.client_address(request))
        if self._loopback.made_here(request) and not self._proxy.sent(request):
            return self._local
        raise NotSignedIn(self._how_to_sign_in(request))

    def _principal_of(self, session: Session) -> Principal:
        """Raises NotPermitted."""
        if session.link is None:
            return principal_of(self.policy, session.identity, "session", at=now(), session=session.id)
        person = session.identity.account
        return principal_of_person(self.policy, person, "session", at=now(), session=session.id, via=session.link)

    def _how_to_sign_in(self, request: flask.Request) -> str:
        how = f"sign in at {SIGN_IN}, or send" if self.policy.access.oidc else "not signed in: send"
        token = f"{how} Authorization: Bearer TOKEN (`registrar token create` makes one; for a person at the pages, "
        token += "`registrar token link --person ID` makes a link)"
        if self._loopback.enabled:
            return f"{token}; or use http://127.0.0.1 on the receiver's machine, without a proxy"
        return f"{token}{_WHY_NOT_LOCAL}" if looks_local(request) else token

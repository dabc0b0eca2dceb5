"""/signin, /signin/callback and /signout: begin and end a browser's session."""

import importlib
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import flask

from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings
from registrar.ledger import Ledger, used_nonces
from registrar.ledger.engine import now
from webhooks.auth import SIGN_IN, Authenticator
from webhooks.auth.identity import principal_of
from webhooks.auth.oidc_state import LASTS, OidcState, SignInFailed, StateCookies
from webhooks.auth.signing_keys import AHEAD
from webhooks.ingress.errors import NotFound, Rejected
from webhooks.ingress.rate_limit import Limits, address_key
from webhooks.ingress.validation import clean

if TYPE_CHECKING:  # imported only where registrar.yml has a provider: the receiver starts light
    from webhooks.auth.oidc import Provider

log = logging.getLogger(__name__)

# Beginnings of sign-ins, and ends, counted apart; per address: behind a proxy that is not trusted all share one. An end
# that this browser did not begin costs nothing, and is not counted.
PACE = "60/minute"
LONGEST_CODE = 16_384  # characters; a provider may put all that it knows into one
# The characters of a path and a query (https://www.rfc-editor.org/rfc/rfc3986#appendix-A). No second slash:
# //elsewhere.example and /\elsewhere.example are other hosts to a browser.
_OURS = re.compile(r"/([A-Za-z0-9._~%@:?&=+,;!$'()*-][A-Za-z0-9._~%@:?&=+,;!$'()*/-]{0,1000})?")


@dataclass(frozen=True)
class SignIn:
    """The routes of the sign-in; one per app. provider: None where registrar.yml has none."""

    access: Authenticator
    provider: "Provider | None"
    cookies: StateCookies
    ledger: Ledger
    rate: Limits
    public_url: str | None

    def blueprint(self) -> flask.Blueprint:
        routes = flask.Blueprint("signin", __name__)
        routes.add_url_rule(SIGN_IN, view_func=self.begin, methods=["GET"], endpoint="begin")
        routes.add_url_rule(f"{SIGN_IN}/callback", view_func=self.end, methods=["GET"], endpoint="end")
        routes.add_url_rule("/signout", view_func=self.leave, methods=["POST"], endpoint="leave")
        return routes

    def begin(self) -> flask.Response:
        """Redirect to the provider, with the state of this sign-in in a cookie."""
        provider = self._provider()
        self._count("signin")
        if public := self._public():
            return _redirect(public)
        begun = OidcState.new()
        response = _redirect(provider.address(begun, self._callback()))
        self.cookies.put(begun, local(flask.request.args.get("next")), flask.request, response)
        return response

    def end(self) -> flask.Response:
        """Handle the return from the provider. A failure uses up this tab's state too, and no other tab's."""
        provider = self._provider()
        begun, target = self.cookies.read(flask.request)
        self._count("signin-end")  # after a 429 the same page can be loaded again
        try:
            self._use_up(begun)
            identity = provider.identity(begun, self._callback(), self._code(provider))
            principal = principal_of(
                self.access.policy, identity, "session", at=now()
            )  # raises before a session begins
        except Rejected:
            flask.after_this_request(lambda response: self.cookies.delete(begun, flask.request, response))
            raise
        log.info("signed in %s as %s, %s", clean(identity.account), principal.actor.id, principal.role)
        response = _redirect(target)
        self.access.sessions.begin(identity, flask.request, response)
        return self.cookies.delete(begun, flask.request, response)

    def leave(self) -> flask.Response:
        """End the session. No role is needed: a person who lost theirs still has a session."""
        response = _redirect("/")
        if session := self.access.sign_out(flask.request, response):
            log.info("signed out %s", clean(session.identity.account))
        return response

    def _public(self) -> str | None:
        """Return the sign-in at REGISTRAR_PUBLIC_URL if the browser is at another address, whose cookies would be lost.

        Once: behind a proxy that changes the Host every address looks like another one.
        """
        args, host = flask.request.args, flask.request.host
        if self.public_url is None or "public" in args or urlsplit(self.public_url).netloc.lower() == host:
            return None
        query = urlencode({"next": local(args.get("next")), "public": "yes"})
        return f"{self.public_url.rstrip('/')}{SIGN_IN}?{query}"

    def _count(self, what: str) -> None:
        """Raises TooMany."""
        self.rate.count(PACE, what, address_key(self.access.client_address(flask.request)))

    def _provider(self) -> "Provider":
        if self.provider is None:
            raise NotFound(
                "nobody can sign in here: registrar.yml has no access.oidc. `registrar token link --person ID` makes a "
                "link that signs in once, at /signin/link; docs/how-to/access.md has the other ways"
            )
        return self.provider

    def _use_up(self, begun: OidcState) -> None:
        """Record the use, for longer than a receiver with a slow clock would accept it.

        Raises SignInFailed if used before.
        """
        at = now()
        with self.ledger.write() as connection:
            if not used_nonces.spend(connection, f"signin {begun.state}", until=at + LASTS + 2 * AHEAD, at=at):
                raise SignInFailed("this sign-in was used already; begin again at /signin")

    def _code(self, provider: "Provider") -> str:
        args = flask.request.args
        if not provider.issued_by(args.get("iss")):
            raise SignInFailed("the answer is another provider's; begin again at /signin")
        if "error" in args or not args.get("code"):
            raise SignInFailed("the provider did not sign you in; begin again at /signin")
        if len(args["code"]) > LONGEST_CODE:
            raise SignInFailed(
                f"the provider's code is longer than {LONGEST_CODE:,} characters; begin again at /signin"
            )
        return args["code"]

    def _callback(self) -> str:
        base = self.public_url or flask.request.host_url
        return f"{base.rstrip('/')}{SIGN_IN}/callback"


def _redirect(target: str) -> flask.Response:
    return flask.Response(status=303, headers={"Location": target})


def local(target: str | None) -> str:
    """Return the page to go to after the sign-in: `target` if it is one of ours, else the overview."""
    return target if target and _OURS.fullmatch(target) else "/"


def blueprint(settings: Settings, access: Authenticator, ledger: Ledger, rate: Limits) -> flask.Blueprint:
    """Raises SettingsError where the provider's secret can't be read."""
    config = access.policy.access.oidc
    provider = None
    if config:
        provider_type = importlib.import_module("webhooks.auth.oidc").Provider
        provider = provider_type(config, settings.secret(config.client_secret))
    cookies = StateCookies(access.sessions, Encryptor(settings.secret_key))
    return SignIn(access, provider, cookies, ledger, rate, settings.public_url).blueprint()

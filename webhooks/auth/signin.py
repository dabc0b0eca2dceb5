"""/signin, /signin/callback and /signout: begin and end a browser's session."""

import hashlib
import hmac
import importlib
import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import flask

from registrar.config.encryption import SIGNING_IN, DecryptionError, Encryptor
from registrar.config.settings import Settings
from registrar.ledger import Ledger, used_nonces
from registrar.ledger.engine import now
from webhooks.auth import SIGN_IN, Authenticator
from webhooks.auth.identity import principal_of
from webhooks.auth.oidc_state import OidcState, SignInFailed
from webhooks.auth.signing_keys import AHEAD
from webhooks.ingress.errors import NotFound, Rejected
from webhooks.ingress.rate_limit import Limits, address_key
from webhooks.ingress.validation import clean

if TYPE_CHECKING:  # imported where registrar.yml has a provider, and nowhere else: the receiver starts light
    from webhooks.auth.oidc import Provider

log = logging.getLogger(__name__)

# Beginnings of sign-ins, and, counted apart, ends; per address: behind a proxy that is not trusted all have one. An end
# that this browser did not begin costs nothing, and is not counted.
PACE = "60/minute"
LASTS = timedelta(minutes=10)  # from the beginning to the end
MOST_TABS = 4  # that sign in side by side in one browser; each takes a cookie of up to 2 kB
LONGEST_CODE = 16_384  # characters; a provider may put all that it knows into one
# What a path and a query are made of (https://www.rfc-editor.org/rfc/rfc3986#appendix-A). No second slash:
# //elsewhere.example and /\elsewhere.example are other hosts to a browser.
_OURS = re.compile(r"/([A-Za-z0-9._~%@:?&=+,;!$'()*-][A-Za-z0-9._~%@:?&=+,;!$'()*/-]{0,1000})?")


@dataclass(frozen=True)
class SignIn:
    """The routes of the sign-in; one per app. provider: None where registrar.yml has none."""

    access: Authenticator
    provider: "Provider | None"
    ledger: Ledger
    encryptor: Encryptor
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
        if known_as := self._public():
            return _away(known_as)
        beginning = OidcState.new()
        response = _away(provider.address(beginning, self._callback()))
        said = {**beginning.to_json(), "next": local(flask.request.args.get("next"))}
        sealed = self.encryptor.encrypt(said, audience=SIGNING_IN)
        response.set_cookie(self._cookie(beginning.state), sealed, max_age=LASTS, **self._attributes())
        return self._forget(response, *self._older_cookies())

    def end(self) -> flask.Response:
        """Handle the return from the provider. A failure uses up this tab's state too, and no other tab's."""
        provider = self._provider()
        beginning, target = self._beginning()
        self._count("signin-end")  # after a 429 the same page can be loaded again
        try:
            self._use_up(beginning)
            identity = provider.identity(beginning, self._callback(), self._code(provider, beginning))
            who = principal_of(self.access.policy, identity, "session", at=now())  # raises before a session begins
        except Rejected:
            flask.after_this_request(lambda response: self._forget(response, self._cookie(beginning.state)))
            raise
        log.info("signed in %s as %s, %s", clean(identity.account), who.actor.id, who.role)
        response = _away(target)
        self.access.sessions.begin(identity, flask.request, response)
        return self._forget(response, self._cookie(beginning.state))

    def leave(self) -> flask.Response:
        """End the session. No role is needed: a person who lost theirs still has a session."""
        response = _away("/")
        if session := self.access.sign_out(flask.request, response):
            log.info("signed out %s", clean(session.identity.account))
        return response

    def _public(self) -> str | None:
        """Return the sign-in at REGISTRAR_PUBLIC_URL if the browser is at another address, whose cookies would be lost.

        Once: behind a proxy that changes the Host every address looks like another one.
        """
        asked = flask.request
        if self.public_url is None or "public" in asked.args or urlsplit(self.public_url).netloc.lower() == asked.host:
            return None
        said = urlencode({"next": local(asked.args.get("next")), "public": "yes"})
        return f"{self.public_url.rstrip('/')}{SIGN_IN}?{said}"

    def _count(self, what: str) -> None:
        """Raises TooMany."""
        self.rate.count(PACE, what, address_key(self.access.client_address(flask.request)))

    def _provider(self) -> "Provider":
        if self.provider is None:
            raise NotFound(
                "nobody signs in here: registrar.yml has no access.oidc; docs/how-to/access.md tells of other ways"
            )
        return self.provider

    def _beginning(self) -> tuple[OidcState, str]:
        """Return the state and the target of this browser's begun sign-in, from its cookie. Raises SignInFailed."""
        state = flask.request.args.get("state", "")
        try:
            sealed = flask.request.cookies.get(self._cookie(state), "")
            said = self.encryptor.decrypt(sealed, audience=SIGNING_IN, max_age=int(LASTS.total_seconds()))
            beginning, target = OidcState(said["state"], said["nonce"], said["verifier"]), str(said["next"])
        except (DecryptionError, KeyError, TypeError, ValueError):
            raise SignInFailed("this browser did not begin here, or too long ago; begin again at /signin") from None
        if not hmac.compare_digest(beginning.state.encode(), state.encode()):
            raise SignInFailed("what came back belongs to another sign-in; begin again at /signin")
        return beginning, target

    def _use_up(self, beginning: OidcState) -> None:
        """Record the use, for longer than a receiver with a slow clock would accept it.

        Raises SignInFailed if used before.
        """
        at = now()
        with self.ledger.write() as connection:
            if not used_nonces.spend(connection, f"signin {beginning.state}", until=at + LASTS + 2 * AHEAD, at=at):
                raise SignInFailed("this sign-in was used already; begin again at /signin")

    def _code(self, provider: "Provider", beginning: OidcState) -> str:
        given = flask.request.args
        if not provider.issued_by(given.get("iss")):
            raise SignInFailed("what came back is of another provider; begin again at /signin")
        if "error" in given or not given.get("code"):
            raise SignInFailed("the provider did not sign you in; begin again at /signin")
        if len(given["code"]) > LONGEST_CODE:
            raise SignInFailed(
                f"the provider's code is longer than {LONGEST_CODE:,} characters; begin again at /signin"
            )
        return given["code"]

    def _callback(self) -> str:
        base = self.public_url or flask.request.host_url
        return f"{base.rstrip('/')}{SIGN_IN}/callback"

    def _cookie(self, state: str) -> str:
        """Return the cookie's name, one per begun sign-in, so that tabs don't interfere."""
        return f"{self._cookies}{hashlib.sha256(state.encode()).hexdigest()[:16]}"

    @property
    def _cookies(self) -> str:
        return self.access.sessions.cookie_name(flask.request, "signin-")

    def _older_cookies(self) -> list[str]:
        """Return the oldest cookies beyond MOST_TABS - 1. Browsers send them oldest first.

        https://www.rfc-editor.org/rfc/rfc6265#section-5.4
        """
        begun = [name for name in flask.request.cookies if name.startswith(self._cookies)]
        return begun[: max(0, len(begun) - MOST_TABS + 1)]

    def _attributes(self) -> dict[str, Any]:
        return self.access.sessions.cookie_attributes(flask.request)

    def _forget(self, response: flask.Response, *cookies: str) -> flask.Response:
        for name in cookies:
            response.delete_cookie(name, **self._attributes())
        return response


def _away(target: str) -> flask.Response:
    return flask.Response(status=303, headers={"Location": target})


def local(target: str | None) -> str:
    """Return the page to go to after the sign-in: `target` if it is one of ours, else the overview."""
    return target if target and _OURS.fullmatch(target) else "/"


def blueprint(settings: Settings, access: Authenticator, ledger: Ledger, rate: Limits) -> flask.Blueprint:
    """Raises SettingsError where the provider's secret can't be read."""
    config = access.policy.access.oidc
    provider = None
    if config:
        made = importlib.import_module("webhooks.auth.oidc").Provider
        provider = made(config, settings.secret(config.client_secret))
    return SignIn(access, provider, ledger, Encryptor(settings.secret_key), rate, settings.public_url).blueprint()

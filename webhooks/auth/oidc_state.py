"""The values of a begun sign-in that its end must repeat, in an encrypted cookie of the browser that began it."""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, field
from datetime import timedelta

import flask

from registrar.config.encryption import SIGNING_IN, DecryptionError, Encryptor
from webhooks.auth.sessions import Sessions
from webhooks.ingress.errors import NotSignedIn

LASTS = timedelta(minutes=10)  # from the beginning to the end
MOST_TABS = 4  # that sign in side by side in one browser; each takes a cookie of up to 2 kB


class SignInFailed(NotSignedIn):
    """The provider's answer does not identify anyone."""

    code, title = "sign_in_failed", "The sign-in failed"
    headers = {}


@dataclass(frozen=True)
class OidcState:
    """Three values of 256 random bits each."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "OidcState":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


@dataclass(frozen=True)
class StateCookies:
    """The cookies of begun sign-ins, one for each, so that tabs don't interfere."""

    sessions: Sessions
    encryptor: Encryptor

    def put(self, begun: OidcState, target: str, request: flask.Request, response: flask.Response) -> None:
        """Set the cookie, and delete the oldest ones beyond MOST_TABS. target: the page to go to after the sign-in."""
        value = self.encryptor.encrypt({**asdict(begun), "next": target}, audience=SIGNING_IN)
        attributes = self.sessions.cookie_attributes(request)
        response.set_cookie(self._name(request, begun.state), value, max_age=LASTS, **attributes)
        # Browsers send the oldest first: https://www.rfc-editor.org/rfc/rfc6265#section-5.4
        names = [name for name in request.cookies if name.startswith(self._prefix(request))]
        for name in names[: max(0, len(names) - MOST_TABS + 1)]:
            response.delete_cookie(name, **attributes)

    def read(self, request: flask.Request) -> tuple[OidcState, str]:
        """Return the state and the target of the sign-in that the query's `state` names. Raises SignInFailed."""
        state = request.args.get("state", "")
        try:
            value = request.cookies.get(self._name(request, state), "")
            content = self.encryptor.decrypt(value, audience=SIGNING_IN, max_age=int(LASTS.total_seconds()))
            begun = OidcState(content["state"], content["nonce"], content["verifier"])
            target = str(content["next"])
        except (DecryptionError, KeyError, TypeError, ValueError):
            raise SignInFailed(
                "this browser did not begin the sign-in, or too long ago; begin again at /signin"
            ) from None
        if not hmac.compare_digest(begun.state.encode(), state.encode()):
            raise SignInFailed("the provider's answer belongs to another sign-in; begin again at /signin")
        return begun, target

    def delete(self, begun: OidcState, request: flask.Request, response: flask.Response) -> flask.Response:
        response.delete_cookie(self._name(request, begun.state), **self.sessions.cookie_attributes(request))
        return response

    def _name(self, request: flask.Request, state: str) -> str:
        return f"{self._prefix(request)}{hashlib.sha256(state.encode()).hexdigest()[:16]}"

    def _prefix(self, request: flask.Request) -> str:
        return self.sessions.cookie_name(request, "signin-")

"""Signs a person in by a link that `registrar token link` made: its code, in a form of our own page, begins a session.

The code stands behind the # of the link, which browsers keep to themselves: the server gets it in the body of a POST
alone. So a GET, a HEAD, a preview or a prefetch of the link uses nothing up, and no log, proxy or Referer has the code.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta

import flask

from registrar.config.key_generation import LINK_CODE
from registrar.ledger import Ledger, sign_in_links
from registrar.ledger.engine import now
from registrar.ledger.sign_in_links import LinkState, SignInLink
from registrar.ledger.tokens import digest
from registrar.policy import Policy
from webhooks.auth.csrf import CsrfProtection
from webhooks.auth.identity import Principal, principal_of_person
from webhooks.auth.sessions import Sessions
from webhooks.ingress.errors import NotSignedIn
from webhooks.ingress.rate_limit import Limits, address_key

log = logging.getLogger(__name__)

# Forms with a code, right or wrong, per address.
PACE = "60/minute"
# How long a page with the form may stay open; the code itself lasts for minutes.
_FORM_LASTS = timedelta(hours=1)
_ANEW = "`registrar token link --person ID` makes another"
_WHY = {
    LinkState.EXPIRED: f"the link has expired; {_ANEW}",
    LinkState.REVOKED: f"the link was revoked; {_ANEW}",
    LinkState.EARLY: "the link was made in the future, by the clock of this receiver: one of the two machines is wrong",
}
_USED = (
    "the link was used already, and signs in once. Was it not you? `registrar token revoke {name}` ends the session "
    f"that it began; {_ANEW}"
)


class LinkRefused(NotSignedIn):
    """A link's code is unknown, used, expired or revoked."""

    code, title = "link_refused", "The link signs nobody in"
    headers = {}


@dataclass(frozen=True)
class LinkSignIn:
    """One per receiver; thread-safe."""

    ledger: Ledger
    policy: Policy
    rate: Limits
    sessions: Sessions
    forms: CsrfProtection

    def new_form(self) -> tuple[str, str]:
        """Return a nonce for the browser's cookie, and the token that makes a form the cookie's."""
        nonce = secrets.token_hex(16)
        return nonce, self.forms.nonce_token(nonce)

    def remember(self, nonce: str, request: flask.Request, response: flask.Response) -> None:
        """Set the cookie without which the form counts for nothing: another site's page, or person, has another."""
        name, attributes = self._cookie(request), self.sessions.cookie_attributes(request)
        response.set_cookie(name, nonce, max_age=_FORM_LASTS, **attributes)

    def check_form(self, request: flask.Request, client: str | None) -> str:
        """Check a form, and count it against its client's address; return the token for the form that follows.

        Raises CrossSite, TooMany.
        """
        nonce = request.cookies.get(self._cookie(request), "")
        self.forms.check_nonce(request, nonce)
        self.rate.count(PACE, "signin-link", address_key(client))
        return self.forms.nonce_token(nonce)

    def find(self, code: str) -> tuple[SignInLink, Principal]:
        """Return the link with a code, and whom it signs in; it is not used.

        Raises LinkRefused, NotPermitted for a person without a role, LedgerUnavailable.
        """
        link, at = self._load(code), now()
        if link is None:
            raise LinkRefused(f"there is no link with this code: copy all of it, as it was given to you; {_ANEW}")
        if (state := link.state(at)) != LinkState.LIVE:
            log.info("refused the sign-in by %s: %s", link.name, state)
            raise LinkRefused(_WHY.get(state) or _USED.format(name=link.name))
        return link, principal_of_person(self.policy, link.person, "session", at=at, via=link.name)

    def use(
        self, link: SignInLink, who: Principal, request: flask.Request, response: flask.Response, client: str | None
    ) -> None:
        """Begin the session. Raises LinkRefused where another was faster, LedgerUnavailable."""
        if not self.sessions.begin_by_link(link, request, response, client=client):
            raise LinkRefused(_USED.format(name=link.name))
        response.delete_cookie(self._cookie(request), **self.sessions.cookie_attributes(request))
        log.info("signed in %s by %s, %s", who.actor.id, link.name, who.role)

    def _load(self, code: str) -> SignInLink | None:
        if not LINK_CODE.fullmatch(code):
            return None
        with self.ledger.read() as connection:
            return sign_in_links.find(connection, digest(code))

    def _cookie(self, request: flask.Request) -> str:
        return self.sessions.cookie_name(request, "link")

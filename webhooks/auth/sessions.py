"""Sessions of people who signed in: a signed cookie with an account and an end.

The cookie grants nothing: the role is read from registrar.yml with each request. A session ends when registrar.yml
gives its account to another person, or has another provider. That of a sign-in link ends with the link, whose row in
the ledger says what became of it.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
from itsdangerous import BadData

from registrar.events.event import Actor
from registrar.ledger import Connection, Ledger, sign_in_links, used_nonces
from registrar.ledger.engine import now
from registrar.ledger.sign_in_links import SESSION_LASTS, LinkState, SignInLink
from registrar.policy import Policy
from registrar.policy.access import Oidc
from webhooks.auth.identity import Identity
from webhooks.auth.loopback import Loopback
from webhooks.auth.signing_keys import AHEAD, load_signed, newest, signer
from webhooks.caches import TtlCache

IDLE = timedelta(hours=1)  # without a request
ABSOLUTE = SESSION_LASTS  # since the sign-in
RENEWED = timedelta(minutes=1)  # at least between two cookies
_UNREADABLE = (BadData, ValueError, KeyError, TypeError, OverflowError, OSError)  # the last two: an impossible time


@dataclass(frozen=True)
class Session:
    """A browser's session.

    person: the account's owner at the sign-in; None: a guest. provider: digest of the one that signed them in.
    id: 128 random bits. seen: when its cookie was made. link: the name of the link that began it, of a person who has
    no provider and no account here; None: a provider did.
    """

    identity: Identity
    person: str | None
    provider: str | None
    id: str = field(repr=False)
    began: datetime
    seen: datetime
    link: str | None = None


class Sessions:
    """One per receiver; thread-safe."""

    def __init__(self, secret_key: str, policy: Policy, ledger: Ledger, loopback: Loopback) -> None:
        self._signer, self._newest = signer(secret_key, "session"), signer(newest(secret_key), "session")
        self._policy, self._ledger, self._loopback = policy, ledger, loopback
        self._ended: TtlCache[bool] = TtlCache()

    def begin(self, identity: Identity, request: flask.Request, response: flask.Response) -> None:
        """Start a session; end the one that this browser has. Raises LedgerUnavailable."""
        if former := self.from_cookie(request):
            self._spend(former)
        at, person, provider = now(), self._person(identity), _provider(self._policy.access.oidc)
        self._put(Session(identity, person, provider, secrets.token_hex(16), at, at), request, response)

    def begin_by_link(
        self, link: SignInLink, request: flask.Request, response: flask.Response, *, client: str | None
    ) -> bool:
        """Use a link, and start its session; end the one that this browser has. client: its address.

        Return False, and change nothing, for a link that is not live: of two at once, one is. Raises LedgerUnavailable.
        """
        at, who, former = now(), self._actor(link.person), self.from_cookie(request)
        with self._ledger.write() as connection:
            if not sign_in_links.use(connection, link, who, at=at, used_from=client):
                return False
            if former:
                self._end(connection, former, at)
        identity = Identity(link.person, frozenset(), who.name)
        self._put(Session(identity, link.person, None, secrets.token_hex(16), at, at, link.name), request, response)
        return True

    def find(self, request: flask.Request) -> Session | None:
        """Return the request's session, if it is valid. Raises LedgerUnavailable."""
        session = self.from_cookie(request)
        return session if session and self._is_current(session) and not self._is_ended(session) else None

    def from_cookie(self, request: flask.Request) -> Session | None:
        """Return the session of a cookie that is ours and not too old: also one that registrar.yml has suspended, which
        is valid again when registrar.yml is changed back, unless it was ended meanwhile.
        """
        at = now()
        try:
            session = self._read(*load_signed(self._signer, self._cookie(request), lasts=IDLE, at=at))
        except _UNREADABLE:
            return None
        return session if -AHEAD <= at - session.began < ABSOLUTE else None

    def renew(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        """Set a new cookie, so that a session in use does not become idle.

        A cookie signed by the old key is not renewed: that key may be known to an attacker.
        """
        if now() - session.seen >= RENEWED and self._is_by_newest_key(request):
            self._put(session, request, response)

    def end(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        """End a session, also for copies of its cookie. Raises LedgerUnavailable."""
        self._spend(session)
        response.delete_cookie(self.cookie_name(request), **self.cookie_attributes(request))

    def cookie_name(self, request: flask.Request, what: str = "session") -> str:
        """Return the cookie's name. With the prefix __Host-, only this host can set it, and only over TLS.

        https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
        """
        return f"registrar-{what}" if self._loopback.made_here(request) else f"__Host-registrar-{what}"

    def cookie_attributes(self, request: flask.Request) -> dict[str, Any]:
        """Return the arguments of set_cookie and delete_cookie."""
        secure = not self._loopback.made_here(request)
        return {"path": "/", "secure": secure, "httponly": True, "samesite": "Lax"}

    def _cookie(self, request: flask.Request) -> str:
        return request.cookies.get(self.cookie_name(request), "")

    def _is_current(self, session: Session) -> bool:
        """Return whether registrar.yml still has this provider and person."""
        if session.link:
            return session.person in self._policy.people
        oidc = self._policy.access.oidc
        is_same_person = session.person == self._person(session.identity)
        return oidc is not None and session.provider == _provider(oidc) and is_same_person

    def _actor(self, person: str) -> Actor:
        """Return a person as the journal names them; registrar.yml may not have them any more."""
        known = self._policy.people.get(person)
        return Actor(person, known.name if known else person)

    def _person(self, identity: Identity) -> str | None:
        return self._policy.signed_in(identity.account, kinds=identity.kinds)

    def _is_by_newest_key(self, request: flask.Request) -> bool:
        try:
            self._newest.loads(self._cookie(request))
        except BadData:
            return False
        return True

    def _is_ended(self, session: Session) -> bool:
        return bool(self._ended.get(session.id, lambda: self._read_is_spent(session)))

    def _read_is_spent(self, session: Session) -> bool:
        with self._ledger.read() as connection:
            if session.link is None:
                return used_nonces.is_spent(connection, _key(session))
            link = sign_in_links.get(connection, session.link)
            return link is None or link.person != session.person or link.state(now()) != LinkState.SIGNED_IN

    def _spend(self, session: Session) -> None:
        with self._ledger.write() as connection:
            self._end(connection, session, now())

    def _end(self, connection: Connection, session: Session, at: datetime) -> None:
        """Record the end, for longer than a receiver with a slow clock would accept the cookie."""
        if session.link:
            sign_in_links.end(connection, session.link, self._actor(session.identity.account), at=at)
        else:
            used_nonces.spend(connection, _key(session), until=session.began + ABSOLUTE + 2 * AHEAD, at=at)
        self._ended.replace(session.id, True)

    def _put(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        identity = session.identity
        content = {
            "account": identity.account,
            "name": identity.name,
            "sub": identity.subject,
            "person": session.person,
            "provider": session.provider,
            "id": session.id,
            "began": int(session.began.timestamp()),
            **({"link": session.link} if session.link else {}),
        }
        text = str(self._signer.dumps(content))
        response.set_cookie(self.cookie_name(request), text, max_age=ABSOLUTE, **self.cookie_attributes(request))

    def _read(self, content: Any, seen: datetime) -> Session:
        """Raises one of _UNREADABLE."""
        oidc = self._policy.access.oidc
        kinds = oidc.account_kinds if oidc else frozenset[str]()
        name, subject = _text_or_none(content["name"]), _text_or_none(content["sub"])
        identity = Identity(str(content["account"]), kinds, name, subject)
        person, provider = _text_or_none(content["person"]), _text_or_none(content["provider"])
        began, link = datetime.fromtimestamp(content["began"], UTC), _text_or_none(content.get("link"))
        return Session(identity, person, provider, str(content["id"]), began, seen, link)


def _provider(oidc: Oidc | None) -> str | None:
    """Return a digest that identifies the provider: an account's meaning depends on issuer, client and claim."""
    if oidc is None:
        return None
    return hashlib.sha256(json.dumps([oidc.issuer, oidc.client_id, oidc.claim]).encode()).hexdigest()


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _key(session: Session) -> str:
    return f"session {session.id}"

"""Sessions of people who signed in: a signed cookie that says who they are, and that ends.

What a person may is looked up anew with each request: the cookie grants nothing by itself. It is for the person and the
provider of the sign-in: where registrar.yml gives the account to somebody else, or another provider signs people in, it
is over.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
from itsdangerous import BadData

from registrar.ledger import Ledger, used_nonces
from registrar.ledger.engine import now
from registrar.policy import Policy
from registrar.policy.access import Oidc
from webhooks.auth.identity import Identity
from webhooks.auth.loopback import Loopback
from webhooks.auth.signing_keys import AHEAD, newest, opened, signer
from webhooks.caches import TtlCache

IDLE = timedelta(hours=1)  # without a request
ABSOLUTE = timedelta(hours=12)  # since the sign-in
RENEWED = timedelta(minutes=1)  # a new cookie with each request would be more of the same
_UNREADABLE = (BadData, ValueError, KeyError, TypeError, OverflowError, OSError)  # the last two: a time that is none


@dataclass(frozen=True)
class Session:
    """person: whose account it was at the sign-in; None: nobody's, a guest. provider: which one signed them in, as
    `_provider` tells it. id: 128 random bits. seen: when its cookie was made.
    """

    identity: Identity
    person: str | None
    provider: str | None
    id: str = field(repr=False)
    began: datetime
    seen: datetime


class Sessions:
    """Of one receiver; shared by all threads."""

    def __init__(self, secret_key: str, policy: Policy, ledger: Ledger, loopback: Loopback) -> None:
        self._signer, self._newest = signer(secret_key, "session"), signer(newest(secret_key), "session")
        self._policy, self._ledger, self._loopback = policy, ledger, loopback
        self._over: TtlCache[bool] = TtlCache()

    def begin(self, identity: Identity, request: flask.Request, response: flask.Response) -> None:
        """In place of the one that this browser has, if it has one. Raises LedgerUnavailable."""
        if former := self.shown(request):
            self._spend(former)
        at, person, provider = now(), self._person(identity), _provider(self._policy.access.oidc)
        self._put(Session(identity, person, provider, secrets.token_hex(16), at, at), request, response)

    def find(self, request: flask.Request) -> Session | None:
        """Of the request's cookie, if it is one of ours and not over. Raises LedgerUnavailable."""
        session = self.shown(request)
        return session if session and self._counts(session) and not self._is_over(session) else None

    def shown(self, request: flask.Request) -> Session | None:
        """Of the request's cookie, if it is one of ours and not too old, be it over otherwise: what registrar.yml has
        ended counts again where that is changed back, unless it was signed out of meanwhile.
        """
        at = now()
        try:
            session = self._read(*opened(self._signer, self._cookie(request), lasts=IDLE, at=at))
        except _UNREADABLE:
            return None
        return session if -AHEAD <= at - session.began < ABSOLUTE else None

    def renew(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        """So that it does not end while it is used. What a key signed that is being exchanged is not signed anew: it
        may be known to others, who would have a cookie for long after.
        """
        if now() - session.seen >= RENEWED and self._is_by_newest_key(request):
            self._put(session, request, response)

    def end(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        """For whoever else has the cookie, too. Raises LedgerUnavailable."""
        self._spend(session)
        response.delete_cookie(self.cookie_name(request), **self.cookie_attributes(request))

    def cookie_name(self, request: flask.Request, what: str = "session") -> str:
        """With __Host- no other host of the domain, and nothing that was not sent by TLS, can have set it.

        https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
        """
        return f"registrar-{what}" if self._loopback.made_here(request) else f"__Host-registrar-{what}"

    def cookie_attributes(self, request: flask.Request) -> dict[str, Any]:
        """For set_cookie and delete_cookie."""
        secure = not self._loopback.made_here(request)
        return {"path": "/", "secure": secure, "httponly": True, "samesite": "Lax"}

    def _cookie(self, request: flask.Request) -> str:
        return request.cookies.get(self.cookie_name(request), "")

    def _counts(self, session: Session) -> bool:
        """Whether it is by the provider that signs people in now, and of whom registrar.yml gives the account to."""
        oidc = self._policy.access.oidc
        is_theirs = session.person == self._person(session.identity)
        return oidc is not None and session.provider == _provider(oidc) and is_theirs

    def _person(self, identity: Identity) -> str | None:
        return self._policy.signed_in(identity.account, kinds=identity.kinds)

    def _is_by_newest_key(self, request: flask.Request) -> bool:
        try:
            self._newest.loads(self._cookie(request))
        except BadData:
            return False
        return True

    def _is_over(self, session: Session) -> bool:
        return bool(self._over.get(session.id, lambda: self._read_is_spent(session)))

    def _read_is_spent(self, session: Session) -> bool:
        with self._ledger.read() as connection:
            return used_nonces.is_spent(connection, _key(session))

    def _spend(self, session: Session) -> None:
        """Noted for longer than a receiver whose clock is behind believes it."""
        at = now()
        with self._ledger.write() as connection:
            used_nonces.spend(connection, _key(session), until=session.began + ABSOLUTE + 2 * AHEAD, at=at)
        self._over.replace(session.id, True)

    def _put(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        who = session.identity
        said = {
            "account": who.account,
            "name": who.name,
            "sub": who.subject,
            "person": session.person,
            "provider": session.provider,
            "id": session.id,
            "began": int(session.began.timestamp()),
        }
        text = str(self._signer.dumps(said))
        response.set_cookie(self.cookie_name(request), text, max_age=ABSOLUTE, **self.cookie_attributes(request))

    def _read(self, said: Any, seen: datetime) -> Session:
        """Raises one of _UNREADABLE."""
        oidc = self._policy.access.oidc
        kinds = oidc.account_kinds if oidc else frozenset[str]()
        identity = Identity(str(said["account"]), kinds, _text_or_none(said["name"]), _text_or_none(said["sub"]))
        person, provider = _text_or_none(said["person"]), _text_or_none(said["provider"])
        return Session(identity, person, provider, str(said["id"]), datetime.fromtimestamp(said["began"], UTC), seen)


def _provider(oidc: Oidc | None) -> str | None:
    """Tells a provider from others. What an account means depends on issuer, client and claim."""
    if oidc is None:
        return None
    return hashlib.sha256(json.dumps([oidc.issuer, oidc.client_id, oidc.claim]).encode()).hexdigest()


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _key(session: Session) -> str:
    return f"session {session.id}"

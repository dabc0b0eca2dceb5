"""Sessions of people who signed in: a signed cookie that says who they are, and that ends.

What a person may is looked up anew with each request: the cookie grants nothing by itself.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
from itsdangerous import BadSignature, URLSafeTimedSerializer

from registrar.ledger import Ledger, spent
from registrar.ledger.engine import now
from webhooks.access.identity import Identity
from webhooks.access.keys import opened
from webhooks.access.loopback import Loopback
from webhooks.access.remembered import Remembered

IDLE = timedelta(hours=1)  # without a request
ABSOLUTE = timedelta(hours=12)  # since the sign-in
RENEWED = timedelta(minutes=1)  # a new cookie with each request would be more of the same


@dataclass(frozen=True)
class Session:
    """id: 128 random bits. seen: when its cookie was made."""

    identity: Identity
    id: str = field(repr=False)
    began: datetime
    seen: datetime


class Sessions:
    """Of one receiver; shared by all threads."""

    def __init__(self, signer: URLSafeTimedSerializer, ledger: Ledger, loopback: Loopback) -> None:
        self._signer, self._ledger, self._loopback = signer, ledger, loopback
        self._over: Remembered[bool] = Remembered()

    def begin(self, identity: Identity, request: flask.Request, response: flask.Response) -> None:
        at = now()
        self._put(Session(identity, secrets.token_hex(16), at, at), request, response)

    def find(self, request: flask.Request) -> Session | None:
        """Of the request's cookie, if it is one of ours and not over. Raises LedgerUnavailable."""
        try:
            given = request.cookies.get(self.cookie_name(request), "")
            session = _read(*opened(self._signer, given, lasts=IDLE, at=now()))
        except (BadSignature, ValueError, KeyError, TypeError):
            return None
        if now() - session.began >= ABSOLUTE or self._is_over(session):
            return None
        return session

    def renew(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        """So that it does not end while it is used."""
        if now() - session.seen >= RENEWED:
            self._put(session, request, response)

    def end(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        """For whoever else has the cookie, too. Raises LedgerUnavailable."""
        at = now()
        with self._ledger.write() as connection:
            spent.spend(connection, _key(session), until=session.began + ABSOLUTE, at=at)
        self._over.change(session.id, True)
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

    def _is_over(self, session: Session) -> bool:
        return bool(self._over.ask(session.id, lambda: self._looked_up(session)))

    def _looked_up(self, session: Session) -> bool:
        with self._ledger.read() as connection:
            return spent.is_spent(connection, _key(session))

    def _put(self, session: Session, request: flask.Request, response: flask.Response) -> None:
        who = session.identity
        said = {"account": who.account, "name": who.name, "id": session.id, "began": int(session.began.timestamp())}
        text = str(self._signer.dumps(said))
        response.set_cookie(self.cookie_name(request), text, max_age=ABSOLUTE, **self.cookie_attributes(request))


def _read(said: Any, seen: datetime) -> Session:
    identity = Identity(str(said["account"]), None if said["name"] is None else str(said["name"]))
    return Session(identity, str(said["id"]), datetime.fromtimestamp(said["began"], UTC), seen)


def _key(session: Session) -> str:
    return f"session {session.id}"

"""Authenticates by token: Authorization: Bearer rgt_... (https://www.rfc-editor.org/rfc/rfc6750)."""

import hmac
import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from registrar.config.key_generation import TOKEN
from registrar.events.event import Actor
from registrar.ledger import Ledger, LedgerUnavailable
from registrar.ledger import tokens as token_store
from registrar.ledger.engine import now
from registrar.ledger.tokens import Token
from registrar.policy import Policy
from registrar.policy.access import lesser
from webhooks.auth.identity import Principal
from webhooks.caches import TtlCache
from webhooks.ingress.errors import NotSignedIn, TooMany
from webhooks.ingress.rate_limit import Limits, address_key

# Unknown tokens per address.
WRONG = "30/minute"
_HEADER = re.compile(rf"(?i:bearer) ({TOKEN.pattern})[ \t]*")


class WrongToken(NotSignedIn):
    """The token is unknown, revoked or expired. For an unknown one the sentence is always the same."""

    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}

    def __init__(self, detail: str = "unknown token; `registrar token list` shows those that exist") -> None:
        super().__init__(detail)


class BearerTokens:
    """One per receiver; thread-safe."""

    def __init__(self, ledger: Ledger, policy: Policy, rate: Limits) -> None:
        self._ledger, self._policy, self._rate = ledger, policy, rate
        self._tokens: TtlCache[Token] = TtlCache()
        self._digests: TtlCache[frozenset[str]] = TtlCache()

    def principal(self, authorization: str, remote: str | None) -> Principal:
        """Return the token's bearer. Raises NotSignedIn, TooMany, LedgerUnavailable."""
        token = self._token(authorization, remote)
        if token is None:
            self._rate.count(WRONG, "token", address_key(remote))
            raise WrongToken
        at = now()
        if (state := token.state(at)) != "live":
            raise WrongToken(f"the token {token.name} is {state}; `registrar token create` makes another")
        self._record_use(token, at)
        return self._bearer(token, at)

    def _token(self, authorization: str, remote: str | None) -> Token | None:
        match = _HEADER.fullmatch(authorization)
        if match is None:
            return None
        sha256 = token_store.digest(match[1])
        token = self._tokens.get(sha256, lambda: self._load_token(sha256, remote))
        return token if token and hmac.compare_digest(token.sha256, sha256) else None

    def _load_token(self, sha256: str, remote: str | None) -> Token | None:
        """Read a token by its digest.

        Raises TooMany for an address with too many wrong tokens, unless this token exists.
        """
        try:
            self._rate.check(WRONG, "token", address_key(remote))
        except TooMany:
            if sha256 not in (self._digests.get("all", self._all_digests) or ()):
                raise
        with self._ledger.read() as connection:
            return token_store.find(connection, sha256)

    def _all_digests(self) -> frozenset[str]:
        """Read all digests at once, so that many guesses cost one read of the ledger."""
        with self._ledger.read() as connection:
            return token_store.digests(connection)

    def _record_use(self, token: Token, at: datetime) -> None:
        """Record the time of use, at most every USED_EVERY.

        If the ledger can't be written, the request still succeeds.
        """
        if token.used_at and at - token.used_at < token_store.USED_EVERY:
            return
        with suppress(LedgerUnavailable), self._ledger.write() as connection:
            token_store.used(connection, token, at=at)
        self._tokens.replace(token.sha256, replace(token, used_at=at))

    def _bearer(self, token: Token, at: datetime) -> Principal:
        if token.person is None:
            return Principal(Actor(f"token:{token.name}", token.name), token.role, "token", via=token.name)
        role = self._policy.role(token.person, at=at)
        if role is None:
            raise WrongToken(
                f"the token {token.name} acts as {token.person}, who has no role any more: add them to "
                "`access` in registrar.yml"
            )
        actor = Actor(token.person, self._policy.people[token.person].name)
        return Principal(actor, lesser(token.role, role), "token", via=token.name)

"""API tokens: holder, role, expiry. Only a token's SHA-256 is stored.

256 random bits can't be guessed, so that no slower hash is needed.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from registrar.errors import UserError
from registrar.events.event import Actor
from registrar.ledger.journal.append import EntryKind, append_deed
from registrar.ledger.tables import tokens
from registrar.policy.access import Role

# A write at each use would be a commit for each request.
USED_EVERY = timedelta(minutes=1)


class NameTaken(UserError):
    """The name is or was a token's; names are not reused, as the record has them."""

    exit_code = 2


class NoSuchToken(UserError):
    """The ledger has no token of that name."""

    exit_code = 2


@dataclass(frozen=True)
class Token:
    """sha256: hexadecimal. person: the person of registrar.yml as whom its bearer acts; None: a machine, as itself.

    used_at: the time of its last use, to the minute.
    """

    name: str
    sha256: str
    role: Role
    person: str | None
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, at: datetime) -> str:
        """live, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= at else "live"


def digest(secret: str) -> str:
    """Return the SHA-256 of a token, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(sha256: str) -> str:
    """Return the digest of a digest, for the journal: its exports must not contain the digest that finds a token."""
    return digest(sha256)


def create(connection: Connection, token: Token, by: Actor) -> None:
    """Create a token, with a journal entry. Raises NameTaken."""
    try:
        with connection.begin_nested():
            connection.execute(insert(tokens).values(asdict(token)))
    except IntegrityError:
        raise NameTaken(
            f"there is a token {token.name}, or there was: names are not used twice, choose another"
        ) from None
    fields = {name: getattr(token, name) for name in ("name", "role", "person", "expires_at")}
    fields["fingerprint"] = fingerprint(token.sha256)
    append_deed(connection, by, token.created_at, EntryKind.TOKEN_CREATED, **fields)


def find(connection: Connection, sha256: str) -> Token | None:
    """Return a token in any state by its digest."""
    row = connection.execute(select(tokens).where(tokens.c.sha256 == sha256)).mappings().one_or_none()
    return Token(**row) if row else None


def digests(connection: Connection) -> frozenset[str]:
    """Return the digests of all tokens, in any state."""
    return frozenset(connection.execute(select(tokens.c.sha256)).scalars())


def used(connection: Connection, token: Token, *, at: datetime) -> None:
    """Note the time of use, at most once in USED_EVERY."""
    is_due = or_(tokens.c.used_at.is_(None), tokens.c.used_at <= at - USED_EVERY)
    connection.execute(update(tokens).where(tokens.c.name == token.name, is_due).values(used_at=at))


def revoke(connection: Connection, name: str, by: Actor, *, at: datetime) -> Token:
    """Revoke a token for good, with a journal entry. Raises NoSuchToken."""
    live = and_(tokens.c.name == name, tokens.c.revoked_at.is_(None))
    if connection.execute(update(tokens).where(live).values(revoked_at=at)).rowcount:
        append_deed(connection, by, at, EntryKind.TOKEN_REVOKED, name=name)
    row = connection.execute(select(tokens).where(tokens.c.name == name)).mappings().one_or_none()
    if row is None:
        raise NoSuchToken(f"there is no token {name}; `registrar token list` shows them")
    return Token(**row)


def all_tokens(connection: Connection) -> Iterator[Token]:
    """Yield all tokens, newest first."""
    for row in connection.execute(select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.name)).mappings():
        yield Token(**row)

"""Links that sign a person in at the pages: each is used once, within minutes, and began a session that can be ended.

Only the SHA-256 of a link's code is stored. What became of a link is in its row, for all receivers, and in the journal.
"""

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, and_, insert, select, update

from registrar.events.event import Actor
from registrar.ledger.journal.append import EntryKind, append_deed
from registrar.ledger.tables import sign_in_links
from registrar.ledger.tokens import NoSuchToken, digest, fingerprint

# From the sign-in to the end of a session, whichever way somebody signed in.
SESSION_LASTS = timedelta(hours=12)
# A link that was made so much later than now, by another machine's clock, is refused: it would last for longer.
AHEAD = timedelta(seconds=60)
# A name begins so; names of tokens have no colon.
PREFIX = "link:"
_FIELDS = ("name", "person", "expires_at")


class LinkState(StrEnum):
    """What a link is good for: nothing but LIVE signs anybody in, and only SIGNED_IN keeps a session."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"  # unused
    EARLY = "early"  # made in the future, by this machine's clock
    SIGNED_IN = "signed in"
    ENDED = "ended"  # the session: revoked, or signed out of
    OVER = "over"  # the session lasted its time


@dataclass(frozen=True)
class SignInLink:
    """sha256: of its code, hexadecimal. person: of registrar.yml. used_from: the address of who used it."""

    name: str
    sha256: str = field(repr=False)
    person: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_from: str | None = None
    ended_at: datetime | None = None

    def state(self, at: datetime) -> LinkState:
        if self.used_at:
            is_over = at >= self.used_at + SESSION_LASTS
            return LinkState.ENDED if self.ended_at else LinkState.OVER if is_over else LinkState.SIGNED_IN
        if self.ended_at:
            return LinkState.REVOKED
        if self.created_at - at > AHEAD:
            return LinkState.EARLY
        return LinkState.EXPIRED if self.expires_at <= at else LinkState.LIVE


def new_link(code: str, person: str, *, at: datetime, lasts: timedelta) -> SignInLink:
    """Return a link that is not stored yet. code: of new_link_code()."""
    return SignInLink(f"{PREFIX}{secrets.token_hex(6)}", digest(code), person, at, at + lasts)


def create(connection: Connection, link: SignInLink, by: Actor) -> None:
    """Store a link, with a journal entry."""
    connection.execute(insert(sign_in_links).values(asdict(link)))
    fields = {name: getattr(link, name) for name in _FIELDS}
    append_deed(connection, by, link.created_at, EntryKind.LINK_CREATED, **fields, fingerprint=fingerprint(link.sha256))


def find(connection: Connection, sha256: str) -> SignInLink | None:
    """Return a link in any state by the digest of its code."""
    return _load(connection, sign_in_links.c.sha256 == sha256)


def get(connection: Connection, name: str) -> SignInLink | None:
    return _load(connection, sign_in_links.c.name == name)


def use(connection: Connection, link: SignInLink, by: Actor, *, at: datetime, used_from: str | None) -> bool:
    """Use a link, with a journal entry; return whether it was live: of two at once, one is told so."""
    table = sign_in_links.c
    unused = and_(table.used_at.is_(None), table.ended_at.is_(None))
    in_time = and_(table.expires_at > at, table.created_at <= at + AHEAD)
    used = update(sign_in_links).where(table.name == link.name, unused, in_time)
    if not connection.execute(used.values(used_at=at, used_from=used_from)).rowcount:
        return False
    append_deed(connection, by, at, EntryKind.LINK_USED, name=link.name, used_from=used_from)
    return True


def end(connection: Connection, name: str, by: Actor, *, at: datetime) -> SignInLink:
    """Revoke an unused link, or end the session that it began, for good, with a journal entry. Raises NoSuchToken."""
    going_on = and_(sign_in_links.c.name == name, sign_in_links.c.ended_at.is_(None))
    if connection.execute(update(sign_in_links).where(going_on).values(ended_at=at)).rowcount:
        append_deed(connection, by, at, EntryKind.LINK_ENDED, name=name)
    if (link := get(connection, name)) is None:
        raise NoSuchToken(f"there is no link {name}; `registrar token list` shows them")
    return link


def all_links(connection: Connection) -> Iterator[SignInLink]:
    """Yield all links, newest first."""
    newest = select(sign_in_links).order_by(sign_in_links.c.created_at.desc(), sign_in_links.c.name)
    for row in connection.execute(newest).mappings():
        yield SignInLink(**row)


def _load(connection: Connection, which: object) -> SignInLink | None:
    row = connection.execute(select(sign_in_links).where(which)).mappings().one_or_none()  # type: ignore[arg-type]
    return SignInLink(**row) if row else None

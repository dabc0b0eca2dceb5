"""Which version held which stage or alias, from when to when, and by whose event."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from registrar.ledger.holding import Holding, holdings
from registrar.ledger.journal import append
from registrar.ledger.tables import holders
from registrar.outcome import Cause


@dataclass(frozen=True)
class Held:
    """Record: a version holds a stage or an alias from now on. alone: whoever held it before does not any more.

    promotion: the one that brought it there. Written again for a holder that holds already, it changes nothing.
    """

    model: str
    kind: str
    key: str
    version: int
    alone: bool = False
    promotion: str | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        same = and_(_open(self.model, self.kind), holders.c.key == self.key)
        if self.alone:
            _close(connection, and_(same, holders.c.version != self.version), cause)
        if connection.execute(select(holders.c.seq).where(same, holders.c.version == self.version)).first():
            return
        what = {"kind": self.kind, "key": self.key, "promotion_id": self.promotion}
        row = {
            **what,
            "model": self.model,
            "version": self.version,
            "since": cause.at,
            "event_id": cause.event_id,
            "actor": cause.actor,
            "actor_name": cause.actor_name,
        }
        connection.execute(insert(holders).values(row))
        append(connection, cause, "held", model=self.model, version=self.version, **what)


@dataclass(frozen=True)
class Released:
    """Record: a version holds a stage or alias no longer. key None: any of that kind, but for `keep`."""

    model: str
    kind: str
    version: int
    key: str | None = None
    keep: str | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        which = and_(_open(self.model, self.kind), holders.c.version == self.version)
        if self.key is not None:
            which = and_(which, holders.c.key == self.key)
        if self.keep is not None:
            which = and_(which, holders.c.key != self.keep)
        _close(connection, which, cause)


def history(connection: Connection, model: str, *, at: datetime | None = None) -> list[Holding]:
    """A model's history, in the order in which it happened, whatever clocks said; with `at`, who held what then."""
    which = holders.c.model == model
    if at is not None:
        which = and_(which, holders.c.since <= at, or_(holders.c.until.is_(None), holders.c.until > at))
    return holdings(connection, which)


def holding_since(connection: Connection, model: str, kind: str, key: str, version: int) -> datetime | None:
    """Since when a version holds a stage or an alias, if it does."""
    same = and_(_open(model, kind), holders.c.key == key, holders.c.version == version)
    return connection.execute(select(holders.c.since).where(same)).scalar_one_or_none()


def holder(connection: Connection, model: str, kind: str, key: str) -> int | None:
    """The version that holds a stage or an alias; of several, the one that came last."""
    same = and_(_open(model, kind), holders.c.key == key)
    query = select(holders.c.version).where(same).order_by(holders.c.seq.desc())
    return connection.execute(query.limit(1)).scalar_one_or_none()


def models_held(connection: Connection) -> list[str]:
    """The models of which the record knows a holder."""
    return list(connection.execute(select(holders.c.model).where(holders.c.until.is_(None)).distinct()).scalars())


def _open(model: str, kind: str) -> ColumnElement[bool]:
    return and_(holders.c.model == model, holders.c.kind == kind, holders.c.until.is_(None))


def _close(connection: Connection, which: ColumnElement[bool], cause: Cause) -> None:
    closed = connection.execute(select(holders).where(which).order_by(holders.c.seq)).all()
    for row in closed:
        ended = {"until": cause.at, "until_event_id": cause.event_id}
        connection.execute(update(holders).where(holders.c.seq == row.seq).values(ended))
        append(connection, cause, "released", model=row.model, version=row.version, kind=row.kind, key=row.key)

"""Watermarks: up to which version a model's versions were dealt with, so that each newer one is taken in once.

A version is newer if its number is higher, or if the registry made it later: in a model that was deleted and created
again, numbers begin at 1. Only times of the registry's own clock are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from registrar.events.outcome import Cause
from registrar.ledger.tables import watermarks


@dataclass(frozen=True)
class Watermark:
    """Record: the versions up to this one were dealt with. Replaces the watermark before.

    version: the highest number; 0: none. made_at: the latest creation among those that the last look at all of them
    saw; the record has each version that was dealt with since. registry: its address.
    """

    model: str
    version: int
    made_at: datetime
    registry: str

    def covers(self, version: int, made_at: datetime) -> bool:
        return version <= self.version and made_at <= self.made_at

    def apply(self, connection: Connection, cause: Cause) -> None:
        values = vars(self)
        own = watermarks.c.model == self.model
        if connection.execute(update(watermarks).where(own).values(values)).rowcount == 0:
            connection.execute(insert(watermarks).values(values))


def watermark(connection: Connection, model: str, *, registry: str) -> Watermark | None:
    """Return a model's watermark; None: it was never looked at, or at another address."""
    row = connection.execute(select(watermarks).where(watermarks.c.model == model)).one_or_none()
    return Watermark(**row._mapping) if row and row.registry == registry else None


def models_watched(connection: Connection) -> Sequence[str]:
    """Return the models that were looked at."""
    return connection.execute(select(watermarks.c.model).order_by(watermarks.c.model)).scalars().all()

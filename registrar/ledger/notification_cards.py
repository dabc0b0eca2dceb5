"""The chat messages that show a promotion (cards): edited when it ends, answered in their threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from registrar.events.outcome import Cause
from registrar.ledger.tables import cards


@dataclass(frozen=True)
class Card:
    """A posted card. ref: the chat system's id of the message, written by the notifier. fact: shown on the card."""

    promotion_id: str
    channel: str
    ref: str
    fact: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class Posted:
    """Record: a card was posted."""

    promotion_id: str
    channel: str
    ref: str
    fact: Mapping[str, Any]

    def apply(self, connection: Connection, cause: Cause) -> None:
        row = {"promotion_id": self.promotion_id, "channel": self.channel, "ref": self.ref, "fact": dict(self.fact)}
        connection.execute(insert(cards).values(**row, at=cause.at))


def posted(connection: Connection, promotion_id: str, channel: str) -> list[Card]:
    """Return a promotion's cards in a channel, oldest first: the request's, then those of reminders."""
    matching = (cards.c.promotion_id == promotion_id) & (cards.c.channel == channel)
    columns = [cards.c[name] for name in Card.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(matching).order_by(cards.c.seq)).all()
    return [Card(**row._mapping) for row in rows]

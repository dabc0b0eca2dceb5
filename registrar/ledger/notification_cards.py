"""The chat messages that show a promotion (cards): edited when it ends, answered in their threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, insert, select

from registrar.events.outcome import Cause
from registrar.ledger.predicates import is_open
from registrar.ledger.tables import cards, tasks

POST, EDIT = "worker.notify", "worker.edit_card"


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


def channels_with_cards(connection: Connection, promotion_id: str, lanes: Mapping[str, str]) -> list[str]:
    """Return the channels that have a card of the promotion, or get one, as a task that posts it is open.

    lanes: of the channels that are looked at. Tasks are read first: a card that is posted in between is then recorded.
    """
    posts_card = and_(tasks.c.name == POST, tasks.c.args["promotion"].as_string() == promotion_id)
    waiting = select(tasks.c.lane).where(tasks.c.lane.in_(lanes.values()), is_open(), posts_card)
    posting = set(connection.execute(waiting).scalars())
    with_card = select(cards.c.channel).where(cards.c.promotion_id == promotion_id)
    channels = set(connection.execute(with_card).scalars())
    return [channel for channel, lane in lanes.items() if channel in channels or lane in posting]


def newest_edit(connection: Connection, task_id: str, promotion_id: str) -> Mapping[str, Any]:
    """Return the arguments of the promotion's newest edit in a task's lane: of the task itself, or of a later one.

    The tasks' seq is the order of the facts. Only rows from the task's own on are read.
    """
    own = select(tasks.c.seq, tasks.c.lane).where(tasks.c.id == task_id).subquery()
    edits = select(tasks.c.args).where(
        tasks.c.seq >= select(own.c.seq).scalar_subquery(),
        tasks.c.lane == select(own.c.lane).scalar_subquery(),
        tasks.c.name == EDIT,
        tasks.c.args["promotion"].as_string() == promotion_id,
    )
    newest: Mapping[str, Any] = connection.execute(edits.order_by(tasks.c.seq.desc()).limit(1)).scalar_one()
    return newest

"""How often the scheduler had a model reviewed since something was due, and whether one is under way."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, exists, select

from registrar.ledger.predicates import is_open
from registrar.ledger.tables import events, tasks

_MOST = 16  # are looked at: from then on the pauses are equally long


@dataclass(frozen=True)
class Reviews:
    """since: how many there were from that time on. last: when the last of all was accepted; seq: its event's, else 0.

    under_way: it, or what follows from it for the model, is not done yet.
    """

    since: int = 0
    last: datetime | None = None
    seq: int = 0
    under_way: bool = False


def reviews(connection: Connection, model: str, *, source: str, type_: str, lane: str, since: datetime) -> Reviews:
    """Of the events of one source and type about a model. lane: the model's, where alone is waited for the end."""
    same = and_(events.c.model == model, events.c.type == type_, events.c.source == source)
    query = select(events.c.id, events.c.seq, events.c.accepted_at).where(same).order_by(events.c.seq.desc())
    found = connection.execute(query.limit(_MOST)).all()
    if not found:
        return Reviews()
    open_ = exists().where(tasks.c.event_id == found[0].id, tasks.c.lane == lane, is_open())
    later = [row for row in found if row.accepted_at >= since]
    return Reviews(len(later), found[0].accepted_at, found[0].seq, bool(connection.scalar(select(open_))))

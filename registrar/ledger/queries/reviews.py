"""Count the scheduler's recent reviews of a model, from which it computes the pause before the next."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, exists, select

from registrar.ledger.predicates import is_open
from registrar.ledger.tables import events, tasks

# Reviews that are counted; from then on the pauses are equally long.
_MOST = 16


@dataclass(frozen=True)
class Reviews:
    """since: the number of reviews since a time. last: when the newest was accepted. seq: that of its event, or 0.

    under_way: the newest review, or a follow-up of it in the model's lane, is unfinished.
    """

    since: int = 0
    last: datetime | None = None
    seq: int = 0
    under_way: bool = False


def reviews(connection: Connection, model: str, *, source: str, type_: str, lane: str, since: datetime) -> Reviews:
    """Count the events of one source and type about a model. lane: the model's; tasks in other lanes don't matter."""
    matching = and_(events.c.model == model, events.c.type == type_, events.c.source == source)
    query = select(events.c.id, events.c.seq, events.c.accepted_at).where(matching).order_by(events.c.seq.desc())
    rows = connection.execute(query.limit(_MOST)).all()
    if not rows:
        return Reviews()
    open_ = exists().where(tasks.c.event_id == rows[0].id, tasks.c.lane == lane, is_open())
    later = [row for row in rows if row.accepted_at >= since]
    return Reviews(len(later), rows[0].accepted_at, rows[0].seq, bool(connection.scalar(select(open_))))

"""How much is not done yet, and what of it can begin: cheap to ask, however long the record is."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, and_, func, select

from registrar.ledger import promotions
from registrar.ledger.dead_letters import ABOUT
from registrar.ledger.predicates import QUEUED, first_of_lane, is_failed, is_open
from registrar.ledger.tables import events, tasks
from registrar.ledger.tables import promotions as requests


def unfinished(connection: Connection) -> dict[str, int]:
    """The tasks that are queued or running, by the source whose event they came of; only sources that have any."""
    joined = tasks.join(events, tasks.c.event_seq == events.c.seq)
    query = select(events.c.source, func.count()).select_from(joined).where(is_open()).group_by(events.c.source)
    return {row[0]: row[1] for row in connection.execute(query.order_by(events.c.source))}


def overview(connection: Connection) -> dict[str, Any]:
    """How much waits for what. oldest: when the oldest task that is not done yet was made."""
    of_state = select(requests.c.state, func.count()).where(promotions.is_open()).group_by(requests.c.state)
    failed = select(func.count()).select_from(tasks).where(is_failed(), tasks.c.name.not_in(ABOUT))
    asked = {row[0]: row[1] for row in connection.execute(of_state)}
    return {
        "unfinished": unfinished(connection),
        "oldest": connection.execute(select(func.min(tasks.c.created_at)).where(is_open())).scalar_one(),
        "promotions": {state: asked.get(state, 0) for state in promotions.OPEN},
        "dead": connection.execute(failed).scalar_one(),
    }


def first_in_line(connection: Connection, ids: Collection[str]) -> set[str]:
    """Of these tasks those that are queued, behind no queued one of their lane: the others are rung for when
    it is done.

    One that stands behind a running task is among them: whoever runs that may have looked already for what comes next.
    """
    first = tasks.alias("first")
    is_first = tasks.c.seq == first_of_lane(first, and_(is_open(first), first.c.state == QUEUED))
    query = select(tasks.c.id).where(tasks.c.id.in_(ids), tasks.c.state == QUEUED, is_first)
    return set(connection.execute(query).scalars())

"""How much is not done yet: cheap enough to ask every second, however long the record is."""

from sqlalchemy import Connection, func, select

from registrar.ledger.tables import events, tasks
from registrar.ledger.tasks import is_open


def unfinished(connection: Connection) -> dict[str, int]:
    """The tasks that are queued or running, by the source whose event they came of; only sources that have any."""
    joined = tasks.join(events, tasks.c.event_seq == events.c.seq)
    query = select(events.c.source, func.count()).select_from(joined).where(is_open()).group_by(events.c.source)
    return {row[0]: row[1] for row in connection.execute(query.order_by(events.c.source))}

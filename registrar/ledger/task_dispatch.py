"""Which tasks are published to the broker, and when again."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
)

from registrar.broker.task_message import TaskMessage
from registrar.ledger import predicates
from registrar.ledger.predicates import as_of
from registrar.ledger.task_statements import (
    postpone_statement,
    reap_statement,
    select_first_of_lanes,
    select_next_by_name,
    select_overdue,
)

# Seconds after which the sweep takes a message for lost.
REDELIVER_AFTER = 10
# Messages that one sweep publishes.
MOST_REDELIVERED = 500
# Of the messages waiting in the broker, so many are taken into account: it bounds the rows that a sweep reads.
MOST_WAITING = 10_000


def sweep(
    connection: Connection, *, at: datetime, lost_after: float = REDELIVER_AFTER, waiting: int = 0, reap: bool = True
) -> list[TaskMessage]:
    """Find tasks that no worker is running: expired leases, lost messages, due retries. Return messages to publish.

    lost_after: seconds after which an unanswered message is taken for lost, at most REDELIVER_AFTER. waiting: the
    number of messages in the broker; as many tasks that were published are left to them, since a busy installation
    would otherwise publish its whole backlog again at each sweep. reap False: keep expired leases, because an outage
    of the ledger kept workers from renewing them.
    """
    if reap:
        connection.execute(reap_statement(), as_of(at))
    published_before = at + timedelta(seconds=REDELIVER_AFTER - lost_after)
    now = {"now": at, "now_furthest": at + predicates.FURTHEST}
    limit = {"most": MOST_REDELIVERED + min(waiting, MOST_WAITING)}
    overdue = connection.execute(select_overdue(), as_of(published_before) | now | limit).all()
    due = [row for row in overdue if row.dispatch_at <= row.not_before]  # retried: its message was taken
    published = sorted((row for row in overdue if row.dispatch_at > row.not_before), key=lambda row: row.dispatch_at)
    lost = published[: max(0, len(published) - waiting)]  # oldest first: the newer ones may still be in the broker
    return _mark_dispatched(connection, (due + lost)[:MOST_REDELIVERED], at)


def next_messages(connection: Connection, lanes: Collection[str], *, at: datetime) -> list[TaskMessage]:
    """Return messages of the first task of each lane, where it can begin."""
    named = {f"lane_{number}": lane for number, lane in enumerate(sorted(lanes))}
    return _mark_dispatched(
        connection, connection.execute(select_first_of_lanes(len(named)), as_of(at) | named).all(), at
    )


def next_message(connection: Connection, names: Collection[str], *, at: datetime) -> list[TaskMessage]:
    """Return a message of the first task with one of these names that can begin, in any lane."""
    return _mark_dispatched(
        connection, connection.execute(select_next_by_name(), as_of(at) | {"names": sorted(names)}).all(), at
    )


def _mark_dispatched(connection: Connection, rows: Sequence[Row[Any]], at: datetime) -> list[TaskMessage]:
    """Postpone the next dispatch of tasks; a task that was queued in this transaction has the right time already."""
    again = at + timedelta(seconds=REDELIVER_AFTER)
    if ids := [row.id for row in rows if row.dispatch_at != again]:
        connection.execute(postpone_statement(), {"ids": ids, "again": again})
    return [TaskMessage(row.id, row.name, row.lane, row.event_id) for row in rows]

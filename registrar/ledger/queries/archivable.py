"""Find the events and rejections that may be moved into archive files whole, and say why other old events stay."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from registrar.events.types import PromotionRequest
from registrar.ledger.dead_letters import ABOUT
from registrar.ledger.promotions import is_open
from registrar.ledger.tables import (
    deployments,
    events,
    holders,
    incarnations,
    journal,
    promotions,
    rejections,
    tasks,
    version_states,
    votes,
)
from registrar.queries.filters import DEAD_STATES

# Rows that one scan reads.
_AT_ONCE = 500
_REFERRING = (
    holders.c.event_id,
    holders.c.until_event_id,
    promotions.c.event_id,
    votes.c.event_id,
    deployments.c.event_id,
    deployments.c.ended_by,
    version_states.c.event_id,
    incarnations.c.event_id,
    journal.c.event_id,
)
# Reasons why an old event stays, for people.
HISTORY = "the history, promotions, votes or deployments tell of it, or the journal in the ledger"
OPEN = "not done yet, or not for so long"
FAILED = "`registrar dead list` lists it"
ASKED = "waits for the end of a promotion"


@dataclass(frozen=True)
class Candidate:
    """A row to archive. key: an event's id or a rejection's seq. at: the time from which its age counts."""

    key: str | int
    at: datetime
    tasks: int = 0

    @property
    def month(self) -> str:
        return f"{self.at:%Y-%m}"


@dataclass(frozen=True)
class Scan:
    """Some rows, in order. next: the seq after which to go on; None: no later row is old enough.

    kept: the number of rows that are old enough and stay, by reason.
    """

    chosen: Sequence[Candidate]
    next: int | None
    kept: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """Some events that are old enough. next: as in Scan. tasks: their numbers, by event id.

    reasons: why events stay, by event id.
    """

    old: Sequence[Row[Any]]
    next: int | None
    tasks: Mapping[str, int]
    reasons: Mapping[str, str]


def scan_events(connection: Connection, after: int, cutoff: datetime) -> Scan:
    """Scan in the order of acceptance. Ends at a batch that is all too young; clocks differ by less than that."""
    found = look(connection, after, cutoff)
    chosen = [
        Candidate(row.id, row.accepted_at, found.tasks[row.id]) for row in found.old if row.id not in found.reasons
    ]
    # What becomes of the tasks of events that stay for the history, archivable_tasks.py says.
    kept = Counter(reason for reason in found.reasons.values() if reason != HISTORY)
    return Scan(chosen, found.next, kept)


def look(connection: Connection, after: int, cutoff: datetime) -> Look:
    """Read some events in the order of acceptance. Ends at a batch that is all too young."""
    names = ("seq", "id", "accepted_at", "type", "model", "reply_to", "archive_seq", "delivery_id")
    query = select(*(events.c[name] for name in names)).where(events.c.seq > after)
    rows = connection.execute(query.order_by(events.c.seq).limit(_AT_ONCE)).all()
    old = [row for row in rows if row.accepted_at < cutoff]
    task_counts, reasons = _reasons_to_keep(connection, old, cutoff)
    return Look(old, rows[-1].seq if old else None, task_counts, reasons)


def scan_rejections(connection: Connection, after: int, cutoff: datetime) -> Scan:
    """Scan in order; all that are old enough are chosen. Ends at a batch that is all too young."""
    query = select(rejections.c.seq, rejections.c.at).where(rejections.c.seq > after)
    rows = connection.execute(query.order_by(rejections.c.seq).limit(_AT_ONCE)).all()
    chosen = [Candidate(row.seq, row.at) for row in rows if row.at < cutoff]
    return Scan(chosen, rows[-1].seq if chosen else None)


def _reasons_to_keep(
    connection: Connection, old: Sequence[Row[Any]], cutoff: datetime
) -> tuple[Counter[str], dict[str, str]]:
    """Return the number of tasks by event id, and the reasons for which events stay, by event id."""
    ids = [row.id for row in old]
    reasons = dict.fromkeys(_waiting_requests(connection, old), ASKED)
    reasons |= dict.fromkeys(_referred_to(connection, ids), HISTORY)
    reasons |= {row.id: HISTORY for row in old if row.archive_seq is not None}  # its tasks are in another file
    task_counts: Counter[str] = Counter()
    columns = (tasks.c.event_id, tasks.c.name, tasks.c.state, tasks.c.finished_at)
    for task in connection.execute(select(*columns).where(tasks.c.event_id.in_(ids))):
        task_counts[task.event_id] += 1
        if task.state in DEAD_STATES and task.name not in ABOUT:
            reasons[task.event_id] = FAILED
        elif task.finished_at is None or task.finished_at >= cutoff:
            reasons[task.event_id] = OPEN
        elif task.name in ABOUT:  # what was tried again, dropped or sent again tells of it by this event
            reasons.setdefault(task.event_id, HISTORY)
    return task_counts, reasons


def _referred_to(connection: Connection, ids: Sequence[str]) -> set[str]:
    referred: set[str] = set()
    for column in _REFERRING:
        referred.update(connection.execute(select(column).where(column.in_(ids))).scalars())
    return referred


def _waiting_requests(connection: Connection, old: Iterable[Row[Any]]) -> Iterable[str]:
    """Return the ids of requests that wait for the end of an open promotion (pending_gate_requests.py)."""
    requests = [row for row in old if row.type == PromotionRequest.type and row.reply_to is not None]
    if not requests:
        return ()
    models = set(connection.execute(select(promotions.c.model).where(is_open())).scalars())
    return [row.id for row in requests if row.model in models]

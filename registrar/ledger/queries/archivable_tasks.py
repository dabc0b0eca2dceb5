"""Find events that stay in the ledger, as the record tells of them, and whose tasks may be moved into archive files.

Nothing that a decision rests on goes: only tasks that succeeded, and none of an event that the record's present state,
an open promotion or the newest past of its model is read from.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from registrar.events.states import DeploymentState, TaskState
from registrar.ledger import metrics_checkpoint
from registrar.ledger.dead_letters import ABOUT
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.interventions import RESENT
from registrar.ledger.promotions import is_open
from registrar.ledger.queries.archivable import HISTORY, Candidate, Scan, look
from registrar.ledger.tables import deployments, events, holders, journal, promotions, tasks

# Newest events of a model and type whose tasks stay. From them the tags that Registrar gave (own_tags.py reads the
# newest 200 tasks) and what is known of versions (versions.py: the newest 50 events of a type) are read.
NEWEST = 200
# Tasks that are read however old they are: adoptions tell which holdings count for a rollback (holders.py), and
# interventions what was done about a failed task (interventions.py).
_STAY = frozenset({"worker.adopt", *ABOUT})
# Reasons why the tasks of an old event stay, for people.
CURRENT = "an open promotion, a deployment under way or a present holder rests on it"
RECENT = f"one of the newest {NEWEST} of its type about its model, from which tags and versions are known"
UNCOUNTED = "the metrics have not counted yet what it did; they do while a receiver runs"
READ = "its tasks were refused or dropped, or are read for rollbacks and replays"


def scan_tasks(connection: Connection, after: int, cutoff: datetime) -> Scan:
    """Scan events that stay for the history, in the order of acceptance. Ends at a batch that is all too young."""
    found = look(connection, after, cutoff)
    pinned = [row for row in found.old if found.reasons.get(row.id) == HISTORY and row.archive_seq is None]
    pinned = [row for row in pinned if found.tasks.get(row.id)]
    reasons = dict(_reasons_to_stay(connection, pinned))
    chosen = [Candidate(row.id, row.accepted_at, found.tasks[row.id]) for row in pinned if row.id not in reasons]
    return Scan(chosen, found.next, Counter(reasons.values()))


def _reasons_to_stay(connection: Connection, pinned: Sequence[Row[Any]]) -> Iterator[tuple[str, str]]:
    """Yield (event id, reason) of events whose tasks stay."""
    ids = [row.id for row in pinned]
    current, read = _current(connection, ids), _read(connection, ids)
    uncounted = _uncounted(connection, ids)
    open_since, newest = _open_since(connection), _newest(connection, {(row.model, row.type) for row in pinned})
    for row in pinned:
        if row.id in current or row.seq >= open_since.get(row.model, row.seq + 1):
            yield row.id, CURRENT
        elif row.id in uncounted:
            yield row.id, UNCOUNTED
        elif row.id in read or row.delivery_id.startswith(RESENT):
            yield row.id, READ
        elif row.seq >= newest[row.model, row.type]:
            yield row.id, RECENT


def _current(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return the events by which a version holds a target, or a deployment is under way.

    Archived is no target: each version that was replaced is there for ever.
    """
    held = and_(holders.c.until.is_(None), holders.c.key != ARCHIVED)
    holding = select(holders.c.event_id).where(holders.c.event_id.in_(ids), held)
    under_way = deployments.c.state == DeploymentState.REQUESTED
    deploying = select(deployments.c.event_id).where(deployments.c.event_id.in_(ids), under_way)
    return {*connection.execute(holding).scalars(), *connection.execute(deploying).scalars()}


def _uncounted(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return the events with entries that the metrics have not counted: they read the event's tasks for it."""
    above = journal.c.seq > metrics_checkpoint.current(connection).seq
    return {*connection.execute(select(journal.c.event_id).where(journal.c.event_id.in_(ids), above)).scalars()}


def _read(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return the events with tasks that did not succeed, or whose outcomes are read however old they are."""
    columns = (tasks.c.event_id, tasks.c.name, tasks.c.state)
    rows = connection.execute(select(*columns).where(tasks.c.event_id.in_(ids)))
    return {row.event_id for row in rows if row.state != TaskState.SUCCEEDED or row.name in _STAY}


def _open_since(connection: Connection) -> Mapping[str, int]:
    """Return, by model, the number of the event that asked for its oldest open promotion."""
    joined = promotions.join(events, promotions.c.event_id == events.c.id)
    query = select(promotions.c.model, func.min(events.c.seq).label("first")).select_from(joined).where(is_open())
    return {row.model: row.first for row in connection.execute(query.group_by(promotions.c.model))}


def _newest(connection: Connection, which: set[tuple[str | None, str]]) -> Mapping[tuple[str | None, str], int]:
    """Return, by model and type, the number of the first of the newest events; 0 where there are fewer."""
    first: dict[tuple[str | None, str], int] = {}
    for model, type_ in which:
        about = events.c.model.is_(None) if model is None else events.c.model == model
        query = select(events.c.seq).where(about, events.c.type == type_).order_by(events.c.seq.desc())
        first[model, type_] = connection.execute(query.offset(NEWEST - 1).limit(1)).scalar() or 0
    return first

"""What a list of versions shows beside their registration: states, who held one place, and lead times."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, not_, select

from registrar.ledger.tables import events, holders, incarnations, version_states
from registrar.ledger.version_state import TAG, State

_HOLDINGS = 500  # the newest of a place that are looked at
_STATE = ("version", "version_created_at", "key", "value", "at")


def states_of(connection: Connection, model: str, numbers: Collection[int]) -> Mapping[int, Sequence[State]]:
    """Return the states of these versions by number, oldest first, without tags. Those of every incarnation."""
    by_version: defaultdict[int, list[State]] = defaultdict(list)
    if not numbers:
        return by_version
    joined = version_states.join(events, events.c.id == version_states.c.event_id)
    is_tag = version_states.c.key.startswith(TAG, autoescape=True)
    which = and_(version_states.c.model == model, version_states.c.version.in_(numbers), not_(is_tag))
    query = select(*(version_states.c[name] for name in _STATE), events.c.source).select_from(joined).where(which)
    for row in connection.execute(query.order_by(version_states.c.seq)):
        by_version[row.version].append(State(**row._mapping))
    return by_version


@dataclass(frozen=True)
class HeldPlace:
    """A version's first holding of a place, and whether one of its holdings of it goes on."""

    since: datetime
    still: bool


def held_place(
    connection: Connection, model: str, place: tuple[str, str], numbers: Collection[int], *, since: datetime | None
) -> Mapping[int, HeldPlace]:
    """Return which of these versions hold or held a stage or an alias. since: leaves out what began before. place:
    (kind, key).
    """
    kind, key = place
    which = and_(holders.c.model == model, holders.c.kind == kind, holders.c.key == key)
    query = select(holders.c.version, holders.c.since, holders.c.until).where(which, holders.c.version.in_(numbers))
    query = query if since is None else query.where(holders.c.since >= since)
    found: dict[int, HeldPlace] = {}
    rows = connection.execute(query.order_by(holders.c.seq.desc()).limit(_HOLDINGS)).all() if numbers else ()
    for row in rows:
        still = row.until is None or (row.version in found and found[row.version].still)
        found[row.version] = HeldPlace(row.since, still)
    return found


@dataclass(frozen=True)
class LeadTime:
    """From the registration of a version in the registry to its first holding of a place that a promotion began."""

    version: int
    registered_at: datetime
    held_at: datetime

    @property
    def length(self) -> timedelta:
        return max(timedelta(), self.held_at - self.registered_at)


def lead_times(
    connection: Connection, model: str, place: tuple[str, str], *, since: datetime | None, limit: int
) -> list[LeadTime]:
    """Return those of the newest versions that a promotion brought to a stage or an alias, latest first.

    since: leaves out versions that were created before. place: (kind, key).
    """
    kind, key = place
    which = and_(holders.c.model == model, holders.c.kind == kind, holders.c.key == key)
    newest = select(holders.c.seq).where(which).order_by(holders.c.seq.desc()).limit(_HOLDINGS).subquery()
    joined = holders.join(incarnations, holders.c.incarnation == incarnations.c.seq)
    columns = (incarnations.c.version, incarnations.c.created_at, func.min(holders.c.since).label("held_at"))
    promoted = and_(holders.c.seq.in_(select(newest.c.seq)), holders.c.promotion_id.is_not(None))
    query = select(*columns).select_from(joined).where(promoted)
    query = query if since is None else query.where(incarnations.c.created_at >= since)
    query = query.group_by(incarnations.c.seq, incarnations.c.version, incarnations.c.created_at)
    rows = connection.execute(query.order_by(func.max(holders.c.seq).desc()).limit(limit))
    return [LeadTime(row.version, row.created_at, row.held_at) for row in rows]

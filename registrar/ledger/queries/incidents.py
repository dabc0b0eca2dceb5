"""Find what auditors ask for beside holdings: changes by hand, models created again, disputes, quarantines,
deployments, and rejected promotions and votes.
"""

from datetime import datetime

from sqlalchemy import Connection, and_, not_, or_, select

from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.journal.append import EntryKind
from registrar.ledger.queries.event_context import Entry, columns, parse_entry
from registrar.ledger.queries.time_bisect import TimeBisect
from registrar.ledger.tables import journal
from registrar.ledger.version_state import Key

# Entries, some 2,000 events of a model: a long journal must not make its page slow. `registrar audit export` has all.
_LOOKED_AT = 20_000
# Pieces of the canonical JSON that an entry's body is.
_SUPERSEDED = f'"state":"{DeploymentState.SUPERSEDED}"'
_WENT_ON = tuple(f'"state":"{state}"' for state in (PromotionState.APPROVED, PromotionState.PROMOTED))
_BY_A_MOVE = '"because":null'  # a reason is given only where no move ended the holding
_ARCHIVED = f'"key":"{ARCHIVED}"'  # holds any number of versions
IS_INCIDENT = or_(
    journal.c.kind.in_((EntryKind.CHANGED_BY_HAND, EntryKind.DRIFT_REVERTED, EntryKind.DISPUTED, EntryKind.SETTLED)),
    and_(
        journal.c.kind == EntryKind.RELEASED, *(not_(journal.c.body.contains(said)) for said in (_BY_A_MOVE, _ARCHIVED))
    ),
    and_(journal.c.kind == EntryKind.VERSION_STATE, journal.c.body.contains(f'"key":"{Key.QUARANTINED.value}"')),
    and_(journal.c.kind == EntryKind.DEPLOYMENT_ENDED, not_(journal.c.body.contains(_SUPERSEDED))),
    and_(journal.c.kind == EntryKind.PROMOTION_DECIDED, *(not_(journal.c.body.contains(state)) for state in _WENT_ON)),
    and_(journal.c.kind == EntryKind.VOTE, journal.c.body.contains('"counted":false')),
)


def incidents(
    connection: Connection,
    *,
    model: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Return incidents among the newest _LOOKED_AT journal entries, newest first. model None: of all models."""
    within = TimeBisect(since, until).where(connection, journal.c.seq, journal.c.at)
    same_model = [] if model is None else [journal.c.model == model]
    newest = select(journal.c.seq).where(*within, *same_model).order_by(journal.c.seq.desc()).limit(_LOOKED_AT)
    matching = and_(journal.c.seq.in_(select(newest.subquery().c.seq)), IS_INCIDENT)
    query = select(*columns()).where(matching).order_by(journal.c.seq.desc()).limit(limit)
    return [parse_entry(row) for row in connection.execute(query)]

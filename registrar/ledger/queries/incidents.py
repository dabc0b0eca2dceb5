"""Find what auditors ask for beside holdings: changes by hand, models created again, disputes, quarantines,
deployments, and rejected promotions and votes.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select

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


def _in_body(piece: str) -> ColumnElement[bool]:
    """Match as Python's `in` does. LIKE would not: on SQLite it ignores case, and an alias may be named archived."""
    return func.replace(journal.c.body, piece, "") != journal.c.body


@dataclass(frozen=True)
class _Kind:
    """What makes an entry of a kind an incident: pieces that its body has, and pieces that it lacks."""

    kind: EntryKind
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def clause(self) -> ColumnElement[bool]:
        has = (_in_body(piece) for piece in self.has)
        lacks = (not_(_in_body(piece)) for piece in self.lacks)
        return and_(journal.c.kind == self.kind, *has, *lacks)

    def matches(self, kind: str, body: str) -> bool:
        has, lacks = all(piece in body for piece in self.has), not any(piece in body for piece in self.lacks)
        return kind == self.kind and has and lacks


# What these match, compaction keeps in the ledger, and `audit verify` demands it there. A kind that is added later must
# not be demanded of entries that an earlier release has moved into a file.
_KINDS = (
    _Kind(EntryKind.CHANGED_BY_HAND),
    _Kind(EntryKind.DRIFT_REVERTED),
    _Kind(EntryKind.DISPUTED),
    _Kind(EntryKind.SETTLED),
    _Kind(EntryKind.RELEASED, lacks=(_BY_A_MOVE, _ARCHIVED)),
    _Kind(EntryKind.VERSION_STATE, has=(f'"key":"{Key.QUARANTINED.value}"',)),
    _Kind(EntryKind.DEPLOYMENT_ENDED, lacks=(_SUPERSEDED,)),
    _Kind(EntryKind.PROMOTION_DECIDED, lacks=_WENT_ON),
    _Kind(EntryKind.VOTE, has=('"counted":false',)),
)
IS_INCIDENT = or_(*(kind.clause for kind in _KINDS))


def is_incident(kind: str, body: str) -> bool:
    """Return what IS_INCIDENT says of an entry that is not in the ledger."""
    return any(each.matches(kind, body) for each in _KINDS)


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

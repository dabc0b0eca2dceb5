"""Holdings: which version held which stage or alias, from when to when, by which event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, insert, or_, select, update

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause
from registrar.events.states import TaskState
from registrar.events.types import RegistryChanged, RegistryReconcile
from registrar.ledger.incarnations import Recorded, known, record_incarnation
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.tables import events, holders, incarnations, promotions, tasks

# This stage holds any number of versions.
ARCHIVED = "Archived"
# Events that report changes in MLflow: holdings that they began were made by hand there.
BY_HAND = (RegistryChanged.type, RegistryReconcile.type)


@dataclass(frozen=True)
class HoldingStarted:
    """Record: a version holds a stage or an alias from now on. alone: it ends the holdings of all other versions.

    promotion: the id of the promotion that moved it. anew: the version was moved just now, so that an open holding of
    its own is stale and ends; otherwise the record has no effect where the version already holds the key. adopted: it
    was moved by hand, and passed the checks of the policy.
    """

    model: str
    kind: str
    key: str
    version: int
    alone: bool = False
    promotion: str | None = None
    anew: bool = False
    adopted: bool = False

    def apply(self, connection: Connection, cause: Cause) -> None:
        same_key = and_(_open(self.model, self.kind), holders.c.key == self.key)
        own_holding = and_(same_key, holders.c.version == self.version)
        if self.alone:
            _close(connection, and_(same_key, holders.c.version != self.version), cause)
        if self.anew:
            _close(connection, own_holding, cause)
        elif connection.execute(select(holders.c.seq).where(own_holding)).first():
            return
        which = record_incarnation(connection, cause, self.model, self.version)
        columns = {"kind": self.kind, "key": self.key, "promotion_id": self.promotion, "incarnation": which}
        row = {
            **columns,
            "model": self.model,
            "version": self.version,
            "since": cause.at,
            "event_id": cause.event_id,
            "actor": cause.actor,
            "actor_name": cause.actor_name,
        }
        connection.execute(insert(holders).values(row))
        adoption = {"adopted": True} if self.adopted else {}
        append(connection, cause, EntryKind.HELD, model=self.model, version=self.version, **columns, **adoption)


@dataclass(frozen=True)
class HoldingEnded:
    """Record: a version no longer holds a stage or alias. key None: any of that kind, except `keep`.

    because: the reason, where no move ended the holding.
    """

    model: str
    kind: str
    version: int
    key: str | None = None
    keep: str | None = None
    because: str | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        which = and_(_open(self.model, self.kind), holders.c.version == self.version)
        if self.key is not None:
            which = and_(which, holders.c.key == self.key)
        if self.keep is not None:
            which = and_(which, holders.c.key != self.keep)
        _close(connection, which, cause, self.because)


@dataclass(frozen=True)
class PastHolding(Recorded):
    """A period in which a version held a stage or an alias. still: it holds it now.

    given: it began by a promotion, a rollback, a command or a passed adoption; False: by hand. digest: that of the
    approved files, by its promotion or the one before a rollback to it. compared: the files that the digest covers.
    """

    still: bool = False
    given: bool = False
    digest: str | None = None
    compared: str | None = None


def held_before(connection: Connection, model: str, kind: str, key: str) -> list[PastHolding]:
    """Return all holdings of a stage or an alias, newest first."""
    same_key = and_(holders.c.model == model, holders.c.kind == kind, holders.c.key == key)
    joined = holders.join(events, holders.c.event_id == events.c.id)
    joined = joined.outerjoin(promotions, holders.c.promotion_id == promotions.c.id)
    query = select(holders, events.c.type, promotions.c.evidence).select_from(joined).where(same_key)
    rows = connection.execute(query.order_by(holders.c.seq.desc())).all()
    by_hand = {row.event_id for row in rows if row.promotion_id is None and row.type in BY_HAND}
    passed = adopted(connection, by_hand)
    incarnations_, approved = known(connection, model), _approved(rows, by_hand)
    return [
        PastHolding(
            row.version,
            row.since,
            incarnations_.get(row.incarnation),
            (row.evidence or {}).get("run_id"),
            still=row.until is None,
            given=row.event_id not in by_hand or (row.event_id, row.version, kind, key) in passed,
            digest=approved[row.seq].get("model_digest"),
            compared=approved[row.seq].get("compared"),
        )
        for row in rows
    ]


def _approved(rows: Sequence[Row[Any]], by_hand: set[str]) -> Mapping[int, Mapping[str, Any]]:
    """Return the evidence by which each holding was approved, by its seq; {} for holdings that began by hand.

    A rollback has no promotion of its own: it takes the evidence of the version's previous holding. rows: newest first.
    """
    evidence: dict[int, Mapping[str, Any]] = {}
    last: dict[tuple[int, int | None], Mapping[str, Any]] = {}
    for row in reversed(rows):
        version = (row.version, row.incarnation)
        before = {} if row.event_id in by_hand else last.get(version, {})
        evidence[row.seq] = last[version] = row.evidence or before
    return evidence


def adopted(connection: Connection, event_ids: set[str]) -> set[tuple[str, int, str, str]]:
    """Return (event id, version, kind, key) of passed adoptions, from the facts of their tasks."""
    if not event_ids:
        return set()
    adoptions = and_(
        tasks.c.event_id.in_(event_ids), tasks.c.name == "worker.adopt", tasks.c.state == TaskState.SUCCEEDED
    )
    rows = connection.execute(select(tasks.c.event_id, tasks.c.outcome).where(adoptions)).all()
    return {
        (row.event_id, fact["version"], kind, fact["details"][kind])
        for row in rows
        for fact in row.outcome["facts"]
        for kind in ("stage", "alias")
        if fact["details"].get("adopted") and fact["details"].get(kind)
    }


def ever_held(
    connection: Connection, model: str, places: Iterable[tuple[str, str]], *, made: datetime | None = None
) -> list[int]:
    """Return the versions that ever held one of these stages or aliases, latest first, each once. places: (kind, key).

    made: when the registry created the model; versions of an earlier model of that name are left out. Where the record
    does not know when a version was created, the start of its holding decides.
    """
    any_place = or_(*(and_(holders.c.kind == kind, holders.c.key == key) for kind, key in places))
    query = select(holders.c.version).where(holders.c.model == model, any_place).order_by(holders.c.seq.desc())
    if made is not None:
        joined = holders.outerjoin(incarnations, holders.c.incarnation == incarnations.c.seq)
        query = query.select_from(joined).where(func.coalesce(incarnations.c.created_at, holders.c.since) >= made)
    return list(dict.fromkeys(connection.execute(query).scalars()))


def holding_since(connection: Connection, kind: str, key: str, *, of: Incarnation) -> datetime | None:
    """Return since when this incarnation of a version holds a stage or an alias; None: it does not."""
    which = {"of_model": of.model, "of_kind": kind, "of_key": key, "of_version": of.version}
    if (row := connection.execute(_select_holding(), which).one_or_none()) is None:
        return None
    incarnations_ = known(connection, of.model, version=of.version)
    held = Recorded(of.version, row.since, incarnations_.get(row.incarnation), (row.evidence or {}).get("run_id"))
    return held.since if held.is_of(of) else None


def holder(connection: Connection, model: str, kind: str, key: str) -> int | None:
    """Return the version that holds a stage or an alias; of several, the latest."""
    which = {"of_model": model, "of_kind": kind, "of_key": key}
    return connection.execute(_select_holder(), which).scalar_one_or_none()


@cache
def _select_holding() -> Select[Any]:
    joined = holders.outerjoin(promotions, holders.c.promotion_id == promotions.c.id)
    columns = (holders.c.since, holders.c.incarnation, promotions.c.evidence)
    return select(*columns).select_from(joined).where(_held(), holders.c.version == bindparam("of_version"))


@cache
def _select_holder() -> Select[Any]:
    return select(holders.c.version).where(_held()).order_by(holders.c.seq.desc()).limit(1)


def _held() -> ColumnElement[bool]:
    place = and_(holders.c.kind == bindparam("of_kind"), holders.c.key == bindparam("of_key"))
    return and_(holders.c.model == bindparam("of_model"), place, holders.c.until.is_(None))


@dataclass(frozen=True)
class Holder:
    """A stage or an alias, and the version that holds it."""

    key: str
    version: int


def held_now(connection: Connection, model: str, kind: str) -> list[Holder]:
    """Return the holders of each stage, or of each alias; of several versions in a stage, the latest comes last."""
    query = select(holders.c.key, holders.c.version).where(_open(model, kind)).order_by(holders.c.seq)
    return [Holder(*row) for row in connection.execute(query)]


def models_held(connection: Connection) -> list[str]:
    """Return the models that have a holder of any stage or alias."""
    return list(connection.execute(select(holders.c.model).where(holders.c.until.is_(None)).distinct()).scalars())


def _open(model: str, kind: str) -> ColumnElement[bool]:
    return and_(holders.c.model == model, holders.c.kind == kind, holders.c.until.is_(None))


def _close(connection: Connection, which: ColumnElement[bool], cause: Cause, because: str | None = None) -> None:
    closed = connection.execute(select(holders).where(which).order_by(holders.c.seq)).all()
    for row in closed:
        ended = {"until": cause.at, "until_event_id": cause.event_id, "until_because": because}
        connection.execute(update(holders).where(holders.c.seq == row.seq).values(ended))
        fields = {"kind": row.kind, "key": row.key, "because": because}
        append(connection, cause, EntryKind.RELEASED, model=row.model, version=row.version, **fields)

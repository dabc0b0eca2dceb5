"""Promotions: versions on their way to a target. States: registrar.events.states.PromotionState."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, insert, literal_column, select, update

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause
from registrar.events.states import PromotionState
from registrar.ledger.before_commit import flush
from registrar.ledger.incarnations import Recorded, known, record_incarnation
from registrar.ledger.journal.append import EntryKind, append, entry_seq
from registrar.ledger.row_ids import new_id
from registrar.ledger.tables import promotions

OPEN = (PromotionState.WAITING, PromotionState.AWAITING_APPROVAL, PromotionState.APPROVED)
# Literals, as in predicates.py, so that SQLite uses the index uq_promotions_open.
_OPEN: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in OPEN]
# Columns in the journal entries of an opened and of a decided promotion.
REQUEST = ("target", "state", "requested_by", "reason", "evidence", "due_at", "broke_glass", "incarnation")
DECISION = ("state", "reason", "decided_by", "broke_glass")


@dataclass(frozen=True)
class Promotion:
    """A request that a version reach a target. evidence: what approvers see, and what their votes are bound to.

    due_at: when its time gates open. broke_glass: approved by one person, against the rules.
    """

    id: str
    model: str
    version: int
    target: str
    state: str
    requested_by: str
    event_id: str
    evidence: Mapping[str, Any]
    created_at: datetime
    reason: str | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    due_at: datetime | None = None
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None
    broke_glass: bool = False
    incarnation: int | None = None  # its version's (ledger/incarnations.py)

    def __str__(self) -> str:
        return f"{self.model} version {self.version} to {self.target}"

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def digest(self) -> str:
        """SHA-256 of the evidence, which votes are bound to."""
        return hashlib.sha256(json.dumps(dict(self.evidence), sort_keys=True).encode()).hexdigest()

    @property
    def asked_at(self) -> datetime:
        """Since when approvers are asked: after its time gates opened, if it had to wait for them."""
        return self.due_at if self.state == PromotionState.AWAITING_APPROVAL and self.due_at else self.created_at


@dataclass(frozen=True)
class PromotionRequested:
    """Record: a promotion was requested. requested_by None: by the actor of the event."""

    model: str
    version: int
    target: str
    evidence: Mapping[str, Any]
    state: str = PromotionState.AWAITING_APPROVAL
    requested_by: str | None = None
    reason: str | None = None
    due_at: datetime | None = None
    id: str = field(default_factory=lambda: new_id("prm"))

    def apply(self, connection: Connection, cause: Cause) -> None:
        row = {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "target": self.target,
            "state": self.state,
            "requested_by": self.requested_by or cause.actor,
            "event_id": cause.event_id,
            "evidence": dict(self.evidence),
            "reason": self.reason,
            "created_at": cause.at,
            "due_at": self.due_at,
            "incarnation": record_incarnation(connection, cause, self.model, self.version),
        }
        connection.execute(insert(promotions).values(row))
        journal_promotion(connection, cause, EntryKind.PROMOTION_OPENED, self.id, *REQUEST)


@dataclass(frozen=True)
class Reevaluated:
    """Record: an open promotion was looked at again: it waits, for longer, or no more.

    evidence None: what was shown stays what the approvals are bound to.
    """

    promotion_id: str
    state: str
    due_at: datetime | None = None
    evidence: Mapping[str, Any] | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        before = get(connection, self.promotion_id)
        new_evidence = {} if self.evidence is None else {"evidence": dict(self.evidence)}
        change = {"state": self.state, "due_at": self.due_at, **new_evidence}
        if before is None or not before.open or all(getattr(before, name) == change[name] for name in change):
            return
        connection.execute(update(promotions).where(_still_open(self.promotion_id)).values(change))
        journal_promotion(connection, cause, EntryKind.PROMOTION_REEVALUATED, self.promotion_id, *change)


@dataclass(frozen=True)
class ReminderSent:
    """Record: approvers were reminded of an open promotion. escalated: the escalation channels were notified, too."""

    promotion_id: str
    escalated: bool = False

    def apply(self, connection: Connection, cause: Cause) -> None:
        change = {"reminded_at": cause.at, **({"escalated_at": cause.at} if self.escalated else {})}
        if connection.execute(update(promotions).where(_still_open(self.promotion_id)).values(change)).rowcount:
            journal_promotion(connection, cause, EntryKind.PROMOTION_REMINDED, self.promotion_id, *change)


@dataclass(frozen=True)
class PromotionStateChanged:
    """Record: an open promotion changed its state."""

    promotion_id: str
    state: str
    reason: str | None = None
    broke_glass: bool = False

    def apply(self, connection: Connection, cause: Cause) -> None:
        decision: dict[str, Any] = {"state": self.state, "decided_at": cause.at, "decided_by": cause.actor}
        if self.reason is not None:
            decision["reason"] = self.reason
        if self.broke_glass:
            decision["broke_glass"] = True
        if connection.execute(update(promotions).where(_still_open(self.promotion_id)).values(decision)).rowcount:
            journal_promotion(connection, cause, EntryKind.PROMOTION_DECIDED, self.promotion_id, *DECISION)


def get(connection: Connection, promotion_id: str) -> Promotion | None:
    row = connection.execute(_select_one(), {"of_id": promotion_id}).one_or_none()
    return Promotion(**row._mapping) if row else None


def latest(
    connection: Connection, model: str, version: int, target: str, *, of: Incarnation | None = None
) -> Promotion | None:
    """Return the request for this version and target that was written last, open or not.

    Ordered by the journal, as workers' clocks may differ. of: only requests about this incarnation of the version;
    None: about any version that had the number.
    """
    flush(connection)  # of requests that this transaction wrote, too
    incarnations_ = known(connection, model, version=version) if of else {}
    which = {"of_model": model, "of_version": version, "to": target}
    for row in connection.execute(_select_newest_first(), which):
        promotion = Promotion(**row._mapping)
        if of is None or recorded(promotion, incarnations_).is_of(of):
            return promotion
    return None


def recorded(promotion: Promotion, which: Mapping[int, Incarnation]) -> Recorded:
    """Return the version that a promotion is about. which: from incarnations.known."""
    incarnation = which.get(promotion.incarnation or 0)
    return Recorded(promotion.version, promotion.created_at, incarnation, promotion.evidence.get("run_id"))


def still_open(connection: Connection, *, model: str | None = None) -> list[Promotion]:
    """Return the open promotions of a model, or of all models, oldest first."""
    rows = connection.execute(_select_open(one=model is not None), {"of_model": model})
    return [Promotion(**row._mapping) for row in rows]


def ended_since(connection: Connection, model: str, since: datetime) -> list[Promotion]:
    """Return the promotions of a model that ended after a time, oldest first."""
    ended = and_(promotions.c.model == model, promotions.c.decided_at > since, promotions.c.state.not_in(OPEN))
    query = select(promotions).where(ended).order_by(promotions.c.decided_at)
    return [Promotion(**row._mapping) for row in connection.execute(query)]


def promoted_at(connection: Connection, model: str, target: str, *, most: int = 1000) -> list[datetime]:
    """Return the times of promotions of a model to a target, newest first."""
    which = {"of_model": model, "to": target, "most": most}
    return [at for at in connection.execute(_select_promoted_at(), which).scalars() if at]


def journal_promotion(connection: Connection, cause: Cause, kind: EntryKind, promotion_id: str, *columns: str) -> None:
    """Append a journal entry with the present values of changed columns of a promotion.

    kind: begins with "promotion.", so that `audit verify` compares the table with it.
    """
    promotion = get(connection, promotion_id)
    if promotion is None:
        raise LookupError(promotion_id)
    values = {name: getattr(promotion, name) for name in columns}
    append(
        connection, cause, kind, model=promotion.model, version=promotion.version, promotion_id=promotion.id, **values
    )


def is_open() -> Any:
    """Match open promotions, as the index uq_promotions_open has them."""
    return promotions.c.state.in_(_OPEN)


def _still_open(promotion_id: str) -> Any:
    return and_(promotions.c.id == promotion_id, is_open())


@cache
def _select_one() -> Select[Any]:
    return select(promotions).where(promotions.c.id == bindparam("of_id"))


@cache
def _select_newest_first() -> Select[Any]:
    of_version = (promotions.c.model == bindparam("of_model"), promotions.c.version == bindparam("of_version"))
    newest = (entry_seq(promotions, EntryKind.PROMOTION_OPENED).desc(), promotions.c.created_at.desc())
    return select(promotions).where(*of_version, promotions.c.target == bindparam("to")).order_by(*newest)


@cache
def _select_open(*, one: bool) -> Select[Any]:
    query = select(promotions).where(is_open()).order_by(promotions.c.created_at)
    return query.where(promotions.c.model == bindparam("of_model")) if one else query


@cache
def _select_promoted_at() -> Select[Any]:
    promoted = promotions.c.state == PromotionState.PROMOTED
    to = (promotions.c.model == bindparam("of_model"), promotions.c.target == bindparam("to"))
    newest = promotions.c.decided_at.desc()
    return select(promotions.c.decided_at).where(promoted, *to).order_by(newest).limit(bindparam("most"))

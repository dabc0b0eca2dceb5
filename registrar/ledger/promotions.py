"""Promotions and the votes on them: requested, waiting or approved or rejected, promoted or superseded."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, literal_column, select, update

from registrar.events.incarnation import Incarnation
from registrar.events.outcome import Cause
from registrar.events.states import PromotionState
from registrar.ledger.incarnations import Recorded, known, record_incarnation
from registrar.ledger.journal.append import append, written
from registrar.ledger.tables import promotions

OPEN = (PromotionState.WAITING, PromotionState.AWAITING_APPROVAL, PromotionState.APPROVED)
# Written out, as in tasks.py: so SQLite sees that uq_promotions_open fits.
_OPEN: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in OPEN]
# What the journal tells of a promotion that was opened, and of one that was decided.
REQUEST = ("target", "state", "requested_by", "reason", "evidence", "due_at", "broke_glass", "incarnation")
DECISION = ("state", "reason", "decided_by", "broke_glass")


@dataclass(frozen=True)
class Promotion:
    """One request that a version reach a target's stage. evidence: what an approver is shown and binds to.

    due_at: when what it waits for has passed. broke_glass: approved by one person, past the rules.
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
        """SHA-256 of the evidence: what a vote is bound to."""
        return hashlib.sha256(json.dumps(dict(self.evidence), sort_keys=True).encode()).hexdigest()

    @property
    def asked_at(self) -> datetime:
        """Since when people are asked: what waited first was not shown to them before."""
        return self.due_at if self.state == PromotionState.AWAITING_APPROVAL and self.due_at else self.created_at


@dataclass(frozen=True)
class PromotionRequested:
    """Record: a promotion was requested. requested_by None: by whoever's event it is."""

    model: str
    version: int
    target: str
    evidence: Mapping[str, Any]
    state: str = PromotionState.AWAITING_APPROVAL
    requested_by: str | None = None
    reason: str | None = None
    due_at: datetime | None = None
    id: str = field(default_factory=lambda: f"prm_{uuid.uuid4().hex}")

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
        journal_promotion(connection, cause, "promotion.opened", self.id, *REQUEST)


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
        shown = {} if self.evidence is None else {"evidence": dict(self.evidence)}
        change = {"state": self.state, "due_at": self.due_at, **shown}
        if before is None or not before.open or all(getattr(before, name) == change[name] for name in change):
            return
        connection.execute(update(promotions).where(_still_open(self.promotion_id)).values(change))
        journal_promotion(connection, cause, "promotion.judged", self.promotion_id, *change)


@dataclass(frozen=True)
class ReminderSent:
    """Record: people were reminded of an open promotion; escalated: and others were told."""

    promotion_id: str
    escalated: bool = False

    def apply(self, connection: Connection, cause: Cause) -> None:
        change = {"reminded_at": cause.at, **({"escalated_at": cause.at} if self.escalated else {})}
        if connection.execute(update(promotions).where(_still_open(self.promotion_id)).values(change)).rowcount:
            journal_promotion(connection, cause, "promotion.told", self.promotion_id, *change)


@dataclass(frozen=True)
class PromotionStateChanged:
    """Record: an open promotion got another state."""

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
            journal_promotion(connection, cause, "promotion.decided", self.promotion_id, *DECISION)


def get(connection: Connection, promotion_id: str) -> Promotion | None:
    row = connection.execute(select(promotions).where(promotions.c.id == promotion_id)).one_or_none()
    return Promotion(**row._mapping) if row else None


def latest(
    connection: Connection, model: str, version: int, target: str, *, of: Incarnation | None = None
) -> Promotion | None:
    """The request for this step that was written last, open or not: workers' clocks may differ, and be put back.

    of: for that very version, and no other that had its number; None: for whichever had it.
    """
    same = and_(promotions.c.model == model, promotions.c.version == version, promotions.c.target == target)
    newest = (written(promotions, "promotion.opened").desc(), promotions.c.created_at.desc())
    which = known(connection, model, version=version) if of else {}
    for row in connection.execute(select(promotions).where(same).order_by(*newest)):
        found = Promotion(**row._mapping)
        if of is None or recorded(found, which).is_of(of):
            return found
    return None


def recorded(promotion: Promotion, which: Mapping[int, Incarnation]) -> Recorded:
    """Which version a promotion is about. which: as of incarnations.known."""
    noted = which.get(promotion.incarnation or 0)
    return Recorded(promotion.version, promotion.created_at, noted, promotion.evidence.get("run_id"))


def still_open(connection: Connection, *, model: str | None = None) -> list[Promotion]:
    """Every open promotion, of one model or of all, oldest first."""
    query = select(promotions).where(is_open()).order_by(promotions.c.created_at)
    if model is not None:
        query = query.where(promotions.c.model == model)
    return [Promotion(**row._mapping) for row in connection.execute(query)]


def promoted_at(connection: Connection, model: str, target: str, *, most: int = 1000) -> list[datetime]:
    """When versions of a model were promoted to a target, newest first."""
    done = and_(
        promotions.c.model == model, promotions.c.target == target, promotions.c.state == PromotionState.PROMOTED
    )
    query = select(promotions.c.decided_at).where(done).order_by(promotions.c.decided_at.desc()).limit(most)
    return [at for at in connection.execute(query).scalars() if at]


def journal_promotion(connection: Connection, cause: Cause, kind: str, promotion_id: str, *columns: str) -> None:
    """Write into the journal what some columns of a promotion say now: what a Record calls after it changed them.

    kind: begins with "promotion.", so that `audit verify` holds the table against it.
    """
    now = get(connection, promotion_id)
    if now is None:
        raise LookupError(promotion_id)
    said = {name: getattr(now, name) for name in columns}
    append(connection, cause, kind, model=now.model, version=now.version, promotion_id=now.id, **said)


def is_open() -> Any:
    """The condition that a promotion is open, as the index uq_promotions_open has it."""
    return promotions.c.state.in_(_OPEN)


def _still_open(promotion_id: str) -> Any:
    return and_(promotions.c.id == promotion_id, is_open())

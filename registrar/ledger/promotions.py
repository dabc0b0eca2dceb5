"""Promotions and the votes on them: requested, approved or rejected, promoted or superseded."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from registrar.ledger.tables import promotions, votes
from registrar.outcome import Cause

OPEN = ("waiting", "awaiting_approval", "approved")


@dataclass(frozen=True)
class Promotion:
    """One request that a version reach a target's stage. evidence: what an approver is shown and binds to."""

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

    def __str__(self) -> str:
        return f"{self.model} version {self.version} to {self.target}"


@dataclass(frozen=True)
class Opened:
    """Record: a promotion was requested. Requests for older versions to the same target are superseded."""

    model: str
    version: int
    target: str
    evidence: Mapping[str, Any]
    state: str = "awaiting_approval"
    reason: str | None = None
    id: str = field(default_factory=lambda: f"prm_{uuid.uuid4().hex}")

    def apply(self, connection: Connection, cause: Cause) -> None:
        older = and_(
            promotions.c.model == self.model,
            promotions.c.target == self.target,
            promotions.c.version < self.version,
            promotions.c.state == "awaiting_approval",
        )
        replaced = {"state": "superseded", "decided_at": cause.at, "reason": f"version {self.version} came after it"}
        connection.execute(update(promotions).where(older).values(replaced))
        row = {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "target": self.target,
            "state": self.state,
            "requested_by": cause.actor,
            "event_id": cause.event_id,
            "evidence": dict(self.evidence),
            "reason": self.reason,
            "created_at": cause.at,
        }
        connection.execute(insert(promotions).values(row))


@dataclass(frozen=True)
class Decided:
    """Record: an open promotion got another state."""

    promotion_id: str
    state: str
    reason: str | None = None

    def apply(self, connection: Connection, cause: Cause) -> None:
        decision = {"state": self.state, "decided_at": cause.at, "decided_by": cause.actor}
        if self.reason is not None:
            decision["reason"] = self.reason
        still_open = and_(promotions.c.id == self.promotion_id, promotions.c.state.in_(OPEN))
        connection.execute(update(promotions).where(still_open).values(decision))


@dataclass(frozen=True)
class Voted:
    """Record: somebody said approve or reject. why: the voter's reason, or why the vote does not count."""

    promotion_id: str | None
    verdict: str
    counted: bool
    why: str

    def apply(self, connection: Connection, cause: Cause) -> None:
        row = {
            "promotion_id": self.promotion_id,
            "event_id": cause.event_id,
            "actor": cause.actor,
            "verdict": self.verdict,
            "counted": self.counted,
            "why": self.why,
            "at": cause.at,
        }
        connection.execute(insert(votes).values(row))


def get(connection: Connection, promotion_id: str) -> Promotion | None:
    row = connection.execute(select(promotions).where(promotions.c.id == promotion_id)).one_or_none()
    return Promotion(**row._mapping) if row else None


def latest(connection: Connection, model: str, version: int, target: str) -> Promotion | None:
    """The newest request for this step, open or not."""
    same = and_(promotions.c.model == model, promotions.c.version == version, promotions.c.target == target)
    newest = promotions.c.created_at.desc()
    row = connection.execute(select(promotions).where(same).order_by(newest).limit(1)).one_or_none()
    return Promotion(**row._mapping) if row else None


def is_open(promotion: Promotion | None) -> bool:
    return promotion is not None and promotion.state in OPEN


def approvers(connection: Connection, promotion_id: str) -> list[str]:
    """Who approved with a vote that counts, each once, in order."""
    counting = and_(votes.c.promotion_id == promotion_id, votes.c.counted, votes.c.verdict == "approve")
    rows = connection.execute(select(votes.c.actor).where(counting).order_by(votes.c.seq)).scalars()
    return list(dict.fromkeys(rows))

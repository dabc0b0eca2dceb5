"""Votes on promotions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, insert, select

from registrar.events.outcome import Cause
from registrar.events.states import PromotionState
from registrar.ledger.journal.append import EntryKind, append
from registrar.ledger.promotions import Promotion, get, is_open
from registrar.ledger.tables import promotions, votes


@dataclass(frozen=True)
class VoteCast:
    """Record: a person approved or rejected. why: the voter's reason, or why the vote does not count."""

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
        promotion = get(connection, self.promotion_id) if self.promotion_id else None
        model, version = (promotion.model, promotion.version) if promotion else (None, None)
        fields = {name: row[name] for name in ("promotion_id", "verdict", "counted", "why")}
        append(connection, cause, EntryKind.VOTE, model=model, version=version, **fields)


def approvals(connection: Connection, promotion_id: str) -> list[tuple[str, datetime]]:
    """Return (actor, time) of the counted approvals, one per person, oldest first."""
    rows = connection.execute(_select_approvals(), {"of_promotion": promotion_id}).all()
    return list({row.actor: (row.actor, row.at) for row in reversed(rows)}.values())[::-1]


def approvals_of(connection: Connection, promotion_ids: Collection[str]) -> dict[str, list[tuple[str, datetime]]]:
    """Return what `approvals` does, by the ids of those promotions that have any."""
    columns = (votes.c.promotion_id, votes.c.actor, votes.c.at)
    query = select(*columns).where(votes.c.promotion_id.in_(promotion_ids), _counted()).order_by(votes.c.seq)
    found: dict[str, dict[str, datetime]] = {}
    for promotion_id, actor, at in connection.execute(query) if promotion_ids else ():
        found.setdefault(promotion_id, {}).setdefault(actor, at)
    return {promotion_id: list(by_person.items()) for promotion_id, by_person in found.items()}


def awaiting_approval(connection: Connection, *, limit: int) -> list[Promotion]:
    """Return the promotions that await approval, the oldest of them."""
    awaiting = and_(is_open(), promotions.c.state == PromotionState.AWAITING_APPROVAL)
    query = select(promotions).where(awaiting).order_by(promotions.c.created_at).limit(limit)
    return [Promotion(**row._mapping) for row in connection.execute(query)]


def _counted() -> ColumnElement[bool]:
    return and_(votes.c.counted, votes.c.verdict == "approve")


@cache
def _select_approvals() -> Select[Any]:
    of_promotion = votes.c.promotion_id == bindparam("of_promotion")
    return select(votes.c.actor, votes.c.at).where(of_promotion, _counted()).order_by(votes.c.seq)

"""Votes on promotions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, insert, select

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
    return approvals_of(connection, [promotion_id])[promotion_id]


def approvals_of(connection: Connection, promotion_ids: Iterable[str]) -> dict[str, list[tuple[str, datetime]]]:
    """Return the `approvals` of several promotions, by id, in one statement."""
    by_id: dict[str, dict[str, datetime]] = {id_: {} for id_ in promotion_ids}
    rows = connection.execute(_select_approvals(), {"of_promotions": list(by_id)}) if by_id else ()
    for row in rows:
        by_id[row.promotion_id].setdefault(row.actor, row.at)
    return {id_: list(found.items()) for id_, found in by_id.items()}


def awaiting_approval(connection: Connection, *, limit: int) -> list[Promotion]:
    """Return the promotions that await approval, the oldest of them."""
    awaiting = and_(is_open(), promotions.c.state == PromotionState.AWAITING_APPROVAL)
    query = select(promotions).where(awaiting).order_by(promotions.c.created_at).limit(limit)
    return [Promotion(**row._mapping) for row in connection.execute(query)]


@cache
def _select_approvals() -> Select[Any]:
    of_them = votes.c.promotion_id.in_(bindparam("of_promotions", expanding=True))
    query = select(votes.c.promotion_id, votes.c.actor, votes.c.at)
    return query.where(of_them, votes.c.counted, votes.c.verdict == "approve").order_by(votes.c.seq)

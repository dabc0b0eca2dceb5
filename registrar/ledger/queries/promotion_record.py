"""Promotions and their votes for pages and /v1, and what approvers were shown."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, not_, or_, select

from registrar.events.facts import FactType
from registrar.events.states import PromotionState
from registrar.events.types import ModelReview
from registrar.ledger.journal.append import EntryKind
from registrar.ledger.promotions import Promotion, is_open
from registrar.ledger.tables import events, journal, promotions, tasks, votes
from registrar.queries.filters import DECIDED, OPEN


@dataclass(frozen=True)
class Place:
    """Where a page ended."""

    created_at: datetime
    id: str


def page(
    connection: Connection,
    *,
    state: str | None = None,
    model: str | None = None,
    version: int | None = None,
    automatic: bool = True,
    ids: Collection[str] | None = None,
    before: Place | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return promotions, newest first, each with requested_by_name.

    state: one of PROMOTION_STATES, OPEN or DECIDED. automatic: also those that came about without a vote.
    """
    query = _query().order_by(promotions.c.created_at.desc(), promotions.c.id.desc()).limit(limit)
    if ids is not None:
        query = query.where(promotions.c.id.in_(ids))
    if not automatic:
        query = query.where(or_(promotions.c.state != PromotionState.PROMOTED, _has_approval()))
    if state == OPEN:
        query = query.where(is_open())
    elif state == DECIDED:
        query = query.where(not_(is_open()))
    elif state is not None:
        query = query.where(promotions.c.state == state)
    if model is not None:
        query = query.where(promotions.c.model == model)
    if version is not None:
        query = query.where(promotions.c.version == version)
    if before is not None:
        at = promotions.c.created_at
        before_it = or_(at < before.created_at, and_(at == before.created_at, promotions.c.id < before.id))
        query = query.where(at <= before.created_at, before_it)
    return [dict(row) for row in connection.execute(query).mappings()]


def get_promotion(connection: Connection, promotion_id: str) -> dict[str, Any] | None:
    row = connection.execute(_query().where(promotions.c.id == promotion_id)).mappings().one_or_none()
    return dict(row) if row else None


def _has_approval() -> ColumnElement[bool]:
    """Match promotions of which an approval counted."""
    return exists().where(votes.c.promotion_id == promotions.c.id, votes.c.counted, votes.c.verdict == "approve")


def approved_at(connection: Connection, promotion_id: str, event_ids: Sequence[str]) -> datetime | None:
    """Return when a promotion was approved, by the journal. event_ids: of the approvals that counted.

    None: it was not, or the entry is in an archive file.
    """
    columns = (journal.c.at, journal.c.body)
    decisions = and_(journal.c.event_id.in_(event_ids), journal.c.kind == EntryKind.PROMOTION_DECIDED)
    for at, body in connection.execute(select(*columns).where(decisions)) if event_ids else ():
        said = json.loads(body)["said"]
        if (said.get("promotion_id"), said.get("state")) == (promotion_id, PromotionState.APPROVED):
            found: datetime = at
            return found
    return None


def votes_on(connection: Connection, promotion_id: str) -> list[Mapping[str, Any]]:
    """Return all votes, oldest first. why: the voter's reason, or why the vote did not count."""
    columns = [votes.c[name] for name in ("actor", "verdict", "counted", "why", "at", "event_id")]
    joined = votes.join(events, votes.c.event_id == events.c.id)
    query = select(*columns, events.c.actor_name, events.c.source).select_from(joined)
    rows = connection.execute(query.where(votes.c.promotion_id == promotion_id).order_by(votes.c.seq))
    return [dict(row) for row in rows.mappings()]


def of_versions(connection: Connection, model: str, numbers: Collection[int], *, limit: int) -> list[dict[str, Any]]:
    """Return the promotions of these versions as `page` does."""
    query = _query().where(promotions.c.model == model, promotions.c.version.in_(numbers))
    query = query.order_by(promotions.c.created_at.desc(), promotions.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()] if numbers else []


def _query() -> Select[Any]:
    """Select promotions with the requester's name, which an event of theirs has: after a repeated request, the
    promotion's own event has another actor.
    """
    theirs = events.alias("theirs")
    by_requester = and_(theirs.c.actor == promotions.c.requested_by, theirs.c.seq <= events.c.seq)
    name = select(theirs.c.actor_name).where(by_requester).order_by(theirs.c.seq.desc()).limit(1).scalar_subquery()
    joined = promotions.join(events, promotions.c.event_id == events.c.id)
    shown = func.coalesce(name, promotions.c.requested_by).label("requested_by_name")
    return select(promotions, shown).select_from(joined)


_ASKING = (FactType.PROMOTION_AWAITING_APPROVAL, FactType.PROMOTION_REMINDER, FactType.PROMOTION_ESCALATED)
# The newest model.review events that are read: one of them may have asked, after a time gate.
_REVIEWS = 30


def load_approval_snapshot(connection: Connection, promotion: Promotion) -> Mapping[str, Any]:
    """Return the details of the fact that asked for approval (approval_request.py); empty where nobody was asked."""
    if details := _find_approval_request(connection, [promotion.event_id], promotion.id):
        return details
    reviews = select(events.c.id).where(events.c.model == promotion.model, events.c.type == ModelReview.type)
    newest = connection.execute(reviews.order_by(events.c.seq.desc()).limit(_REVIEWS)).scalars().all()
    return _find_approval_request(connection, newest, promotion.id)


def _find_approval_request(connection: Connection, event_ids: Sequence[str], promotion_id: str) -> Mapping[str, Any]:
    query = select(tasks.c.outcome).where(tasks.c.event_id.in_(event_ids)).order_by(tasks.c.seq.desc())
    for outcome in connection.execute(query).scalars() if event_ids else ():
        for fact in (outcome or {}).get("facts") or []:
            details: Mapping[str, Any] = fact.get("details") or {}
            if fact["type"] in _ASKING and details.get("promotion") == promotion_id:
                return details
    return {}

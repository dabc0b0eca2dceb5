"""What approvers saw of a promotion beside its evidence: metrics, the champion, what is replaced, the commit."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from registrar.events.facts import FactType
from registrar.events.types import ModelReview
from registrar.ledger.promotions import Promotion
from registrar.ledger.tables import events, tasks

_ASKING = (FactType.PROMOTION_AWAITING_APPROVAL, FactType.PROMOTION_REMINDER, FactType.PROMOTION_ESCALATED)
# The newest model.review events that are read: one of them may have asked, after a time gate.
_REVIEWS = 30


def load_approval_snapshot(connection: Connection, promotion: Promotion) -> Mapping[str, Any]:
    """Return the details of the fact that asked for approval (approval_request.py); empty where nobody was asked."""
    if found := _find_approval_request(connection, [promotion.event_id], promotion.id):
        return found
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

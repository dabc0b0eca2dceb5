"""When an open promotion needs something that no event asks for: reminder, escalation, expiry. Pure functions."""

from datetime import datetime
from typing import Literal

from registrar.ledger.promotions import Promotion
from registrar.policy.approvals import Approval
from registrar.policy.duration import length

What = Literal["go on", "expire", "escalate", "remind"]


def due_action(promotion: Promotion, approval: Approval | None, now: datetime) -> What | None:
    """Return the most important action that is due. approval: the rules in effect."""
    found = [(at, thing) for thing, at in due_times(promotion, approval).items() if at <= now]
    order: tuple[What, ...] = ("go on", "expire", "escalate", "remind")
    return next((thing for thing in order if thing in [due for _, due in found]), None)


def due_times(promotion: Promotion, approval: Approval | None) -> dict[What, datetime]:
    """Return when each action is due, by the policy in effect."""
    if promotion.state != "awaiting_approval":
        return {"go on": promotion.due_at} if promotion.due_at else {}
    found: dict[What, datetime] = {}
    if approval and approval.expires_after:
        found["expire"] = promotion.asked_at + length(approval.expires_after)
    if approval and approval.escalate and promotion.escalated_at is None:
        found["escalate"] = promotion.asked_at + length(approval.escalate.after)
    if approval and approval.remind_every:
        found["remind"] = (promotion.reminded_at or promotion.asked_at) + length(approval.remind_every)
    return found

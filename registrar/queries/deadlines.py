"""Decide what is due for an open promotion by time alone: going on, reminder, escalation, expiry. Pure functions."""

from datetime import datetime
from typing import Literal

from registrar.events.states import PromotionState
from registrar.ledger.promotions import Promotion
from registrar.policy.approvals import Approval
from registrar.text.duration import length

DueAction = Literal["go on", "expire", "escalate", "remind"]
_ORDER: tuple[DueAction, ...] = ("go on", "expire", "escalate", "remind")  # the most important first


def due_action(promotion: Promotion, approval: Approval | None, now: datetime) -> DueAction | None:
    """Return the most important action that is due. approval: the rules in effect."""
    times = due_times(promotion, approval)
    return next((action for action in _ORDER if action in times and times[action] <= now), None)


def due_times(promotion: Promotion, approval: Approval | None) -> dict[DueAction, datetime]:
    """Return when each action is due, by the policy in effect."""
    if promotion.state != PromotionState.AWAITING_APPROVAL:
        return {"go on": promotion.due_at} if promotion.due_at else {}
    times: dict[DueAction, datetime] = {}
    if approval and approval.expires_after:
        times["expire"] = promotion.asked_at + length(approval.expires_after)
    if approval and approval.escalate and promotion.escalated_at is None:
        times["escalate"] = promotion.asked_at + length(approval.escalate.after)
    if approval and approval.remind_every:
        times["remind"] = (promotion.reminded_at or promotion.asked_at) + length(approval.remind_every)
    return times

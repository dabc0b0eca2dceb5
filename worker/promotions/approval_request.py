"""What approvers are asked: the sentence, and all that its card shows. For the first time, again, and to others."""

from datetime import datetime
from typing import Any

from registrar.events.outcome import Fact
from registrar.ledger.promotions import Promotion
from worker.notifications import fact_card
from worker.promotions.champion import compared
from worker.promotions.evidence import Evidence
from worker.promotions.transition_rules import barred, becomes, replaced, who_may
from worker.promotions.voters import name
from worker.task_context import TaskContext

ASKED, REMINDED, ESCALATED = fact_card.ASKING


def fact(context: TaskContext, evidence: Evidence, promotion: str, requester: str) -> Fact:
    """promotion, requester: their ids."""
    version, target = evidence.version, evidence.target
    text = f"{version} waits for approval to go to {target.stage}: {_who(context, evidence, requester)}"
    later = "; ".join(hold.reason for hold in evidence.holds)
    text += f"; once approved it waits: {later}" if later else ""
    return Fact(ASKED, text, version.model, version.version, _details(context, evidence, promotion, requester))


def again(context: TaskContext, evidence: Evidence, promotion: Promotion, type_: str, to: tuple[str, ...] = ()) -> Fact:
    """The same for a request that nobody answered. type_: REMINDED or ESCALATED. to: channels beside the routes'."""
    since = _since(promotion.asked_at, context.now)
    text = f"{promotion} waits for approval since {since}: {_who(context, evidence, promotion.requested_by)}"
    details = _details(context, evidence, promotion.id, promotion.requested_by)
    return Fact(type_, text, promotion.model, promotion.version, details, to)


def _who(context: TaskContext, evidence: Evidence, requester: str) -> str:
    """Nobody is named whose approval would not count. requester: the id."""
    without = barred(context.policy, evidence.target, requester=requester, trained_by=evidence.trained_by)
    return who_may(context.policy, evidence.target, without)


def _details(context: TaskContext, evidence: Evidence, promotion: str, requester: str) -> dict[str, Any]:
    version, target = evidence.version, evidence.target
    leaving = replaced(context, version, target)
    return {
        "promotion": promotion,
        "target": target.stage,
        "alias": target.alias,
        "requested_by": context.actor_name if requester == context.task.actor else name(context, requester),
        "commit": version.tags.get("registrar.commit"),
        "registered_at": version.created_at.isoformat(),
        "trained_at": evidence.trained_at.isoformat() if evidence.trained_at else None,
        "replaces": leaving,
        "becomes": becomes(target),
        **compared(context.registry, evidence, leaving),
        **evidence.to_json(),
    }


def _since(then: datetime, now: datetime) -> str:
    hours = (now - then).total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.3g} h"

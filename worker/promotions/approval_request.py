"""What approvers are asked: the sentence, and all that its card shows. For the first time, again, and to others."""

from datetime import datetime
from typing import Any

from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.promotions import Promotion, PromotionStateChanged
from registrar.policy.document import WEB
from worker.notifications import fact_card
from worker.promotions.champion import compared
from worker.promotions.evidence import Evidence
from worker.promotions.transition_rules import barred, becomes, replaced, who_may
from worker.promotions.voters import name
from worker.task_context import TaskContext

_CHATS = frozenset({"slack", "mattermost", "discord", "teams"})  # the kinds of source that take a chat's words


def how(context: TaskContext, *, chat: str, web: str, event: str) -> str:
    """Return one of the three. web: for pages, commands and the API, which the record can't tell apart."""
    if context.task.source == WEB:
        return web
    source = context.policy.sources.get(context.task.source)
    return chat if source and source.kind in _CHATS else event


def chat_name(model: str) -> str:
    """A model's name as chats and shells take it."""
    return f'"{model}"' if " " in model else model


def outcome(promotion: Promotion, why: str, *records: LedgerChange) -> Outcome:
    """records: what belongs into the same commit."""
    text = f"{why}: it is asked for again"
    step = {"version": promotion.version, "target": promotion.target}
    again = FollowUp("worker.request", {**step, "requested_by": promotion.requested_by})
    fact = Fact(
        "promotion.void",
        text,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    return Outcome(text, (fact,), (again,), (*records, PromotionStateChanged(promotion.id, "superseded", text)))


def changed(promotion: Promotion, what: str) -> str:
    """The reason in the words of people."""
    return f"{what} changed since {promotion} was asked for"


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

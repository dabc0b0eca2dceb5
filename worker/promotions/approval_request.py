"""The request that approvers get, with all that its card shows: the first one, reminders, and a repeated one."""

from datetime import datetime
from typing import Any

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.promotions import Promotion, PromotionStateChanged
from registrar.policy.document import WEB
from worker.promotions.champion import compare_metrics
from worker.promotions.evidence import Evidence
from worker.promotions.transition_rules import (
    excluded_approvers,
    replaced_outcome,
    required_approvals,
    versions_to_replace,
)
from worker.promotions.voters import display_name
from worker.task_context import TaskContext

_CHATS = frozenset({"slack", "mattermost", "discord", "teams"})  # kinds of sources with chat commands


def pick_instruction(context: TaskContext, *, chat: str, web: str, event: str) -> str:
    """Return the instruction that fits the event's source. web: for pages, CLI and API, which the record can't tell
    apart.
    """
    if context.task.source == WEB:
        return web
    source = context.policy.sources.get(context.task.source)
    return chat if source and source.kind in _CHATS else event


def chat_name(model: str) -> str:
    """Return a model's name as chats and shells take it."""
    return f'"{model}"' if " " in model else model


def request_again(promotion: Promotion, why: str, *records: LedgerChange) -> Outcome:
    """Supersede a promotion and ask for it again. records: what belongs into the same commit."""
    text = f"{why}: it is asked for again"
    step = {"version": promotion.version, "target": promotion.target}
    again = FollowUp("worker.request", {**step, "requested_by": promotion.requested_by})
    fact = Fact(
        FactType.PROMOTION_VOID,
        text,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    return Outcome(text, (fact,), (again,), (*records, PromotionStateChanged(promotion.id, "superseded", text)))


def changed_reason(promotion: Promotion, what: str) -> str:
    """Return the reason, for people."""
    return f"{what} changed since {promotion} was asked for"


def request_fact(context: TaskContext, evidence: Evidence, promotion: str, requester: str) -> Fact:
    """promotion, requester: ids."""
    version, target = evidence.version, evidence.target
    text = f"{version} waits for approval to go to {target.stage}: {_required_approvers(context, evidence, requester)}"
    later = "; ".join(gate.reason for gate in evidence.closed_gates)
    text += f"; once approved it waits: {later}" if later else ""
    return Fact(
        FactType.PROMOTION_AWAITING_APPROVAL,
        text,
        version.model,
        version.version,
        _details(context, evidence, promotion, requester),
    )


def reminder_fact(
    context: TaskContext, evidence: Evidence, promotion: Promotion, type_: FactType, to: tuple[str, ...] = ()
) -> Fact:
    """Return the fact for a request that nobody answered.

    type_: PROMOTION_REMINDER or PROMOTION_ESCALATED. to: channels that are told whatever the routes say.
    """
    since = _format_age(promotion.asked_at, context.now)
    approvers = _required_approvers(context, evidence, promotion.requested_by)
    text = f"{promotion} waits for approval since {since}: {approvers}"
    details = _details(context, evidence, promotion.id, promotion.requested_by)
    return Fact(type_, text, promotion.model, promotion.version, details, to)


def _required_approvers(context: TaskContext, evidence: Evidence, requester: str) -> str:
    """Name only people whose approval would count. requester: an id."""
    without = excluded_approvers(context.policy, evidence.target, requester=requester, trained_by=evidence.trained_by)
    return required_approvals(context.policy, evidence.target, without)


def _details(context: TaskContext, evidence: Evidence, promotion: str, requester: str) -> dict[str, Any]:
    version, target = evidence.version, evidence.target
    leaving = versions_to_replace(context, version, target)
    return {
        "promotion": promotion,
        "target": target.stage,
        "alias": target.alias,
        "requested_by": context.actor_name if requester == context.task.actor else display_name(context, requester),
        "commit": version.tags.get("registrar.commit"),
        "registered_at": version.created_at.isoformat(),
        "trained_at": evidence.trained_at.isoformat() if evidence.trained_at else None,
        "replaces": leaving,
        "becomes": replaced_outcome(target),
        **compare_metrics(context.registry, evidence, leaving),
        **evidence.to_json(),
    }


def _format_age(then: datetime, now: datetime) -> str:
    hours = (now - then).total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.3g} h"

"""The request that approvers get, with all that its card shows: the first one, reminders, and a repeated one."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, LedgerChange, Outcome
from registrar.ledger.promotions import Promotion, PromotionStateChanged
from registrar.policy import Target
from registrar.policy.document import WEB
from registrar.policy.gates import Comparison, Threshold
from worker.promotions.evidence import Evidence
from worker.promotions.transition_rules import (
    excluded_approvers,
    replaced_outcome,
    required_approvals,
    versions_to_replace,
)
from worker.promotions.voters import display_name
from worker.registry.entities import Version
from worker.registry.protocol import NotFound, Registry, find_version
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


MOST_METRICS = 100  # a card shows fewer; a run may have thousands


def compare_metrics(registry: Registry, evidence: Evidence, replaced: list[int]) -> dict[str, Any]:
    """Return JSON-able metrics of the candidate, those of gates first, and under "champion" the holder's of the same
    names.
    """
    gates = [gate.metric for gate in evidence.target.gates if isinstance(gate, Threshold | Comparison)]
    names = [name for name in dict.fromkeys([*gates, *sorted(evidence.metrics)]) if name in evidence.metrics]
    shown = names[:MOST_METRICS]
    held = _find_champion(registry, evidence.version, evidence.target, replaced)
    champion = held and {
        "version": held[0].version,
        "of": held[1],
        "metrics": _select(_load_metrics(registry, held[0]), shown),
    }
    return {"metrics": _select(evidence.metrics, shown), "champion": champion}


def _find_champion(
    registry: Registry, version: Version, target: Target, replaced: list[int]
) -> tuple[Version, str] | None:
    """Return the holder of the target's alias, else of its stage; and what it holds."""
    pointed = registry.by_alias(version.model, target.alias) if target.alias else None
    if pointed and pointed.version != version.version:
        return pointed, f"@{target.alias}"
    holder = find_version(registry, version.model, replaced[0]) if replaced else None
    return (holder, target.stage) if holder else None


def _load_metrics(registry: Registry, version: Version) -> Mapping[str, float]:
    """Return {} where the run is gone."""
    try:
        return registry.run(version.run_id).metrics if version.run_id else {}
    except NotFound:
        return {}


def _select(metrics: Mapping[str, float], names: list[str]) -> dict[str, float | str]:
    """Return some metrics; NaN and infinity as text, since databases take none in JSON."""
    found = {name: metrics[name] for name in names if name in metrics}
    return {name: value if math.isfinite(value) else str(value) for name, value in found.items()}

"""The fact that asks for approvals, with all that its card shows, and its reminders."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registrar.events.facts import FactType
from registrar.events.outcome import Fact
from registrar.ledger.promotions import Promotion
from registrar.policy import Target
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
from worker.registry.protocol import Registry, find_run, find_version
from worker.task_context import TaskContext

MAX_METRICS = 100  # a card shows fewer; a run may have thousands


def request_fact(context: TaskContext, evidence: Evidence, promotion: str, requester: str) -> Fact:
    """Return the fact that asks for approvals. promotion, requester: ids."""
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
    """Return the fact that asks again, where nobody has answered.

    type_: PROMOTION_REMINDER or PROMOTION_ESCALATED. to: channels to notify beside those of the routes.
    """
    since = _format_age(promotion.asked_at, context.now)
    approvers = _required_approvers(context, evidence, promotion.requested_by)
    text = f"{promotion} waits for approval since {since}: {approvers}"
    details = _details(context, evidence, promotion.id, promotion.requested_by)
    return Fact(type_, text, promotion.model, promotion.version, details, to)


def _required_approvers(context: TaskContext, evidence: Evidence, requester: str) -> str:
    """Return the approvals needed, naming only people whose approval would count. requester: an id."""
    without = excluded_approvers(context.policy, evidence.target, requester=requester, trained_by=evidence.trained_by)
    return required_approvals(context.policy, evidence.target, without)


def _details(context: TaskContext, evidence: Evidence, promotion: str, requester: str) -> dict[str, Any]:
    version, target = evidence.version, evidence.target
    replaced = versions_to_replace(context, version, target)
    return {
        "promotion": promotion,
        "target": target.stage,
        "alias": target.alias,
        "requested_by": context.actor_name if requester == context.task.actor else display_name(context, requester),
        "commit": version.tags.get("registrar.commit"),
        "registered_at": version.created_at.isoformat(),
        "trained_at": evidence.trained_at.isoformat() if evidence.trained_at else None,
        "replaces": replaced,
        "becomes": replaced_outcome(target),
        **compare_metrics(context.registry, evidence, replaced),
        **evidence.to_json(),
    }


def _format_age(then: datetime, now: datetime) -> str:
    hours = (now - then).total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.3g} h"


def compare_metrics(registry: Registry, evidence: Evidence, replaced: list[int]) -> dict[str, Any]:
    """Return the candidate's metrics, those of gates first, and under "champion" the same metrics of the target's
    holder. JSON-able.
    """
    gates = [gate.metric for gate in evidence.target.gates if isinstance(gate, Threshold | Comparison)]
    names = [name for name in dict.fromkeys([*gates, *sorted(evidence.metrics)]) if name in evidence.metrics]
    shown = names[:MAX_METRICS]
    champion = None
    if found := _find_champion(registry, evidence.version, evidence.target, replaced):
        holder, held = found
        run = find_run(registry, holder.run_id)
        metrics = _select(run.metrics if run else {}, shown)
        champion = {"version": holder.version, "of": held, "metrics": metrics}
    return {"metrics": _select(evidence.metrics, shown), "champion": champion}


def _find_champion(
    registry: Registry, version: Version, target: Target, replaced: list[int]
) -> tuple[Version, str] | None:
    """Return the holder of the target's alias, else of its stage, and what it holds, for people."""
    by_alias = registry.by_alias(version.model, target.alias) if target.alias else None
    if by_alias and by_alias.version != version.version:
        return by_alias, f"@{target.alias}"
    holder = find_version(registry, version.model, replaced[0]) if replaced else None
    return (holder, target.stage) if holder else None


def _select(metrics: Mapping[str, float], names: list[str]) -> dict[str, float | str]:
    """Return the named metrics; NaN and infinity as text, since databases take neither in JSON."""
    values = {name: metrics[name] for name in names if name in metrics}
    return {name: value if math.isfinite(value) else str(value) for name, value in values.items()}

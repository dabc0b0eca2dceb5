"""Say what a promotion would do, without writing anything to the registry or the record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registrar.events.states import PromotionState
from registrar.ledger import Ledger
from registrar.ledger.promotions import Promotion, latest
from registrar.ledger.queries.promotion_results import load_results
from registrar.ledger.votes import approvals
from registrar.policy import Policy, Target
from registrar.queries.voting import name, voting
from worker.promotions import version_state
from worker.promotions.evidence import EvaluationContext, Evidence, gather, require_target
from worker.promotions.transition_rules import (
    excluded_approvers,
    replaced_outcome,
    required_approvals,
    versions_to_replace,
    wrong_start,
)
from worker.promotions.version_state import current_stage
from worker.registry.entities import Version
from worker.registry.protocol import Registry

State = Literal["ready", "blocked", "nothing to do"]


@dataclass(frozen=True)
class Plan:
    """The plan of one promotion. ready: a request would be opened, or the version moved where nobody has to approve.

    lines: for people, blocking ones first: ✗ a failed gate, … a closed time gate.
    """

    state: State
    lines: list[str]


@dataclass(frozen=True)
class PlanContext:
    """The systems that evaluating a version needs (EvaluationContext), outside a task."""

    registry: Registry
    policy: Policy
    ledger: Ledger
    now: datetime


def plan(context: EvaluationContext, model: str, number: int, stage: str) -> Plan:
    """Plan a version's promotion to a stage. Raises Refused for a stage that is no target, NotFound, RetryableError
    where the registry does not answer.
    """
    version = context.registry.version(model, number)
    target = require_target(context.policy, model, stage)
    if current_stage(context.policy.model(model), version) == target.stage:
        return Plan("nothing to do", [f"{version} is in {stage} already"])
    evidence = gather(context, version, target)
    reasons = (
        version_state.quarantine_reason(context.ledger, version),
        wrong_start(context.policy, version, target),
        _impossible(context, evidence),
    )
    blocks = [why for why in reasons if why]
    gates = [f"{'✓' if verdict.passed else '✗'} {verdict.reason}" for verdict in evidence.verdicts]
    waits = [f"… {gate.reason}" for gate in evidence.closed_gates]
    lines = [*(f"✗ {why}" for why in blocks), *gates, *waits, *_then(context, evidence, target)]
    return Plan("blocked" if blocks or evidence.reasons or evidence.closed_gates else "ready", lines)


def _impossible(context: EvaluationContext, evidence: Evidence) -> str | None:
    """Return why nobody could give the approval: of the open request, else of one by an unnamed requester."""
    version, stage = evidence.version, evidence.target.stage
    promotion = _latest(context, version, stage)
    with context.ledger.read() as connection:
        votes = approvals(connection, promotion.id) if promotion and promotion.open else []
    if promotion is None or not promotion.open:
        promotion = Promotion(
            id="",
            model=version.model,
            version=version.version,
            target=stage,
            state=PromotionState.AWAITING_APPROVAL,
            requested_by="",
            event_id="",
            evidence=evidence.to_json(),
            created_at=context.now,
        )
    result = voting(context.policy, promotion, votes, at=context.now)
    return f"the approval {result.impossible}" if result and result.impossible else None


def _then(context: EvaluationContext, evidence: Evidence, target: Target) -> list[str]:
    """Return the lines about what would follow."""
    version, policy = evidence.version, context.policy
    asked = _latest(context, version, target.stage)
    requester = asked.requested_by if asked and asked.open else None
    approval = required_approvals(
        policy, target, excluded_approvers(policy, target, requester=requester, trained_by=evidence.trained_by)
    )
    alias = f", @{target.alias} with it" if target.alias else ""
    replaced = ", ".join(map(str, versions_to_replace(context, version, target)))
    move = f"{current_stage(policy.model(version.model), version)} -> {target.stage}{alias}"
    return [
        _asked_line(context, version, target.stage),
        f"approval: {approval}" if approval else "approval: nobody is asked",
        f"then: {move}" + (f"; version {replaced} {replaced_outcome(target)}" if replaced else ""),
        *([f"then told to deploy: {', '.join(target.deploy.to)}"] if target.deploy else []),
        f"policy: {evidence.policy_digest}",
    ]


def _latest(context: EvaluationContext, version: Version, stage: str) -> Promotion | None:
    """Return the version's latest promotion to a target."""
    with context.ledger.read() as connection:
        return latest(
            connection, version.model, version.version, stage, of=version.incarnation(context.registry.address)
        )


def _asked_line(context: EvaluationContext, version: Version, stage: str) -> str:
    """Return whether the promotion was asked for, and what came of it."""
    if (earlier := _latest(context, version, stage)) is None:
        return "asked for: not yet"
    with context.ledger.read() as connection:
        results = load_results(connection, [vars(earlier)])
    state = results[earlier.id].state if earlier.id in results else earlier.state
    because = f": {earlier.reason}" if earlier.reason and not earlier.open else ""
    when = f"on {earlier.created_at:%Y-%m-%d %H:%M} UTC by {name(context.policy, earlier.requested_by)}"
    return f"asked for: {when}; {state.replace('_', ' ')}{because}" + ("" if earlier.open else " (closed)")

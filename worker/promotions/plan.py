"""What a promotion would do, without doing it: nothing is written, neither to the registry nor to the record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registrar.ledger import Ledger
from registrar.ledger.promotions import Promotion, latest
from registrar.ledger.queries.promotion_results import load_results
from registrar.ledger.votes import approvals
from registrar.policy import Policy, Target
from registrar.queries.voting import name, voting
from worker.promotions import version_state
from worker.promotions.evidence import EvaluationContext, Evidence, gather
from worker.promotions.transition_rules import (
    excluded_approvers,
    replaced_outcome,
    required_approvals,
    versions_to_replace,
    wrong_start,
)
from worker.promotions.version_state import current_stage
from worker.registry.entities import Version
from worker.registry.protocol import Refused, Registry

State = Literal["ready", "blocked", "nothing to do"]


@dataclass(frozen=True)
class Plan:
    """ready: a request would be opened, or the move done where nobody has to approve. lines: for people, blocking
    ones first: ✗ a gate that failed, … a time gate that is closed.
    """

    state: State
    lines: list[str]


@dataclass(frozen=True)
class PlanContext:
    """What judging a version takes: a registry, a policy, a ledger and a time."""

    registry: Registry
    policy: Policy
    ledger: Ledger
    now: datetime


def plan(context: EvaluationContext, model: str, number: int, stage: str) -> Plan:
    """Raises Refused for a stage that is no target, NotFound, RetryableError where the registry does not answer."""
    version = context.registry.version(model, number)
    target = context.policy.model(model).target(stage)
    if target is None:
        known = ", ".join(t.stage for t in context.policy.model(model).targets) or "none"
        raise Refused(f"registrar.yml has no target {stage} for {model} (targets: {known})")
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
    """Return why the approval can't be given: for the open request, else for one by an unnamed requester."""
    version, stage = evidence.version, evidence.target.stage
    with context.ledger.read() as connection:
        asked = latest(
            connection, version.model, version.version, stage, of=version.incarnation(context.registry.address)
        )
        agreed = approvals(connection, asked.id) if asked and asked.open else []
    if asked is None or not asked.open:
        step, shown = (version.model, version.version, stage), evidence.to_json()
        asked = Promotion(
            "", *step, "awaiting_approval", requested_by="", event_id="", evidence=shown, created_at=context.now
        )
    found = voting(context.policy, asked, agreed, at=context.now)
    return f"the approval {found.impossible}" if found and found.impossible else None


def _then(context: EvaluationContext, evidence: Evidence, target: Target) -> list[str]:
    """Return what would follow."""
    version, policy = evidence.version, context.policy
    asked = required_approvals(
        policy, target, excluded_approvers(policy, target, requester=None, trained_by=evidence.trained_by)
    )
    alias = f", @{target.alias} with it" if target.alias else ""
    leaving = ", ".join(map(str, versions_to_replace(context, version, target)))
    move = f"{current_stage(policy.model(version.model), version)} -> {target.stage}{alias}"
    return [
        _open(context, version, target.stage),
        f"approval: {asked}" if asked else "approval: nobody is asked",
        f"then: {move}" + (f"; version {leaving} {replaced_outcome(target)}" if leaving else ""),
        *([f"then told to deploy: {', '.join(target.deploy.to)}"] if target.deploy else []),
        f"policy: {evidence.policy_digest}",
    ]


def _open(context: EvaluationContext, version: Version, stage: str) -> str:
    with context.ledger.read() as connection:
        of = version.incarnation(context.registry.address)
        earlier = latest(connection, version.model, version.version, stage, of=of)
        later = load_results(connection, [vars(earlier)]) if earlier else {}
    if earlier is None:
        return "asked for: not yet"
    state = later[earlier.id].state if earlier.id in later else earlier.state
    because = f": {earlier.reason}" if earlier.reason and not earlier.open else ""
    when = f"on {earlier.created_at:%Y-%m-%d %H:%M} UTC by {name(context.policy, earlier.requested_by)}"
    return f"asked for: {when}; {state.replace('_', ' ')}{because}" + ("" if earlier.open else " (closed)")

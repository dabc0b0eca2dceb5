"""worker.request, on promotion.request and after each step: evaluate a version for a target, and ask for approvals."""

from dataclasses import replace
from datetime import datetime

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.states import PromotionState
from registrar.ledger.policy_texts import PolicyUsed
from registrar.ledger.promotions import (
    Promotion,
    PromotionRequested,
    PromotionStateChanged,
    Reevaluated,
    latest,
    still_open,
)
from registrar.policy import Target
from registrar.policy.approvals import Approval
from registrar.policy.closed_time_gates import ClosedTimeGate
from worker import observability
from worker.promotions import approval_request, attribution, deployment_gate_response, version_state
from worker.promotions.attribution import find_requester, is_explicit_request
from worker.promotions.closing import promotion_fact
from worker.promotions.evidence import Evidence, expired_since, gather, target_of
from worker.promotions.transition_rules import removal_refusal, wrong_start
from worker.promotions.version_state import current_stage
from worker.registry.entities import Version
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    context = context.with_recent_reads()
    target = target_of(context, str(context.param("target")))
    version = context.registry.version(context.model, context.version)
    if current_stage(context.policy.model(context.model), version) == target.stage:
        text = f"{version} is in {target.stage} already; nothing to do"
        return Outcome(text, follow_ups=deployment_gate_response.approve_at_once(context.task, context.encryptor, text))
    with context.ledger.read() as connection:
        of = version.incarnation(context.registry.address)
        earlier = latest(connection, version.model, version.version, target.stage, of=of)
    late = expired_since(context, earlier) if earlier else None
    if earlier and earlier.open and earlier.state != PromotionState.WAITING and not late:
        return Outcome(f"{earlier} was asked for already and is {earlier.state.replace('_', ' ')}")
    if earlier and earlier.state == PromotionState.REJECTED and not is_explicit_request(context, version, target):
        why = f": {earlier.reason}" if earlier.reason else ""
        return Outcome(f"{earlier} was rejected{why}; that stands until somebody asks for it again")
    waiting = earlier if earlier and earlier.state == PromotionState.WAITING else None
    outcome = _evaluate(context, version, target, waiting)
    if earlier is None or not late:
        return outcome
    why = f"it was asked for {late} ago; it was asked for again"
    text = f"the promotion of {earlier} has expired: {why}"
    # Without the target, so that a deployment that waits for this step is not rejected: the new request goes on.
    expired = Fact(FactType.PROMOTION_EXPIRED, text, earlier.model, earlier.version, {"promotion": earlier.id})
    ended = PromotionStateChanged(earlier.id, PromotionState.EXPIRED, why)
    return replace(outcome, facts=(expired, *outcome.facts), records=(ended, *outcome.records))


def _evaluate(context: TaskContext, version: Version, target: Target, waiting: Promotion | None) -> Outcome:
    """Evaluate a version. waiting: the open request that waits for a time gate, if this evaluates one again."""
    reason = (
        version_state.quarantine_reason(context.ledger, version)
        or wrong_start(context.policy, version, target)
        or removal_refusal(context, version, target.stage)
    )
    if reason:
        return _held_back(context, version, target, [reason], waiting)
    evidence = gather(context, version, target)
    observability.count_gates(context.policy, version.model, target, evidence.verdicts)
    outcome = _decide(context, evidence, waiting)
    return replace(
        outcome,
        records=(*attribution.first_author_record(context.ledger, version, evidence.trained_by), *outcome.records),
    )


def _decide(context: TaskContext, evidence: Evidence, waiting: Promotion | None) -> Outcome:
    if evidence.reasons:
        return _held_back(context, evidence.version, evidence.target, evidence.reasons, waiting)
    closed_gates = [gate for gate in evidence.closed_gates if gate.before_request]
    outcome = _wait(context, evidence, closed_gates, waiting) if closed_gates else _open(context, evidence, waiting)
    used = PolicyUsed(evidence.policy_digest, context.policy.bound(evidence.version.model))
    passed = version_state.no_longer_held_back(context, evidence.version, evidence.target)
    return replace(outcome, records=(used, *passed, *outcome.records))


def _held_back(
    context: TaskContext, version: Version, target: Target, reasons: list[str], waiting: Promotion | None
) -> Outcome:
    """Record the reasons, and show them in a tag of the version.

    An explicit request ends as refused, an automatic one as done.
    """
    reason = "; ".join(reasons)
    state = version_state.set_state(context, version, version_state.held_back_key(target), reason)
    text = f"{version} was held back from {target.stage}: {reason}"
    details = {"target": target.stage, "reasons": reasons, "commit": version.tags.get("registrar.commit")}
    details |= {"created_at": version.created_at.isoformat()}
    fact = Fact(FactType.MODEL_VERSION_HELD_BACK, text, version.model, version.version, details)
    ended = (PromotionStateChanged(waiting.id, PromotionState.FAILED, reason),) if waiting else ()
    refused = is_explicit_request(context, version, target)
    return Outcome(summary=text, facts=(fact,), records=(state, *ended), refused=refused)


def _wait(
    context: TaskContext, evidence: Evidence, closed_gates: list[ClosedTimeGate], waiting: Promotion | None
) -> Outcome:
    """Keep the request waiting; when its time has come, worker.review evaluates it again."""
    version, target, until = evidence.version, evidence.target, max(gate.until for gate in closed_gates)
    reasons = "; ".join(gate.reason for gate in closed_gates)
    text = f"{version} waits until {until:%Y-%m-%d %H:%M} UTC to be asked for {target.stage}: {reasons}"
    if waiting:
        return Outcome(text, records=(Reevaluated(waiting.id, PromotionState.WAITING, until, evidence.to_json()),))
    opened = _new(context, evidence, PromotionState.WAITING, until)
    details = {"promotion": opened.id, "target": target.stage, "until": until.isoformat()}
    fact = Fact(FactType.PROMOTION_WAITING, text, version.model, version.version, details)
    return _supersede_older(context, Outcome(text, facts=(fact,), records=(opened,)), target, version)


def _new(
    context: TaskContext, evidence: Evidence, state: PromotionState, due: datetime | None = None
) -> PromotionRequested:
    return PromotionRequested(
        evidence.version.model,
        evidence.version.version,
        evidence.target.stage,
        evidence.to_json(),
        state=state,
        requested_by=find_requester(context, evidence.version, evidence.target),
        reason=context.param("reason"),
        due_at=due,
    )


def _open(context: TaskContext, evidence: Evidence, waiting: Promotion | None) -> Outcome:
    """Open the request, or the one that waited: ask for approvals, or move the version where nobody has to approve."""
    version, target = evidence.version, evidence.target
    automatic = not isinstance(target.approval, Approval)
    state = PromotionState.APPROVED if automatic else PromotionState.AWAITING_APPROVAL
    new = _new(context, evidence, state)
    asked_at = context.now if not automatic else None
    record = Reevaluated(waiting.id, state, asked_at, evidence.to_json()) if waiting else new
    promotion = waiting.id if waiting else new.id
    if automatic:
        args = {"version": version.version, "stage": target.stage, "promotion": promotion}
        text = f"{version} passed all gates for {target.stage}"
        outcome = Outcome(text, follow_ups=(FollowUp("worker.transition", args),), records=(record,))
    else:
        fact = approval_request.request_fact(
            context, evidence, promotion, waiting.requested_by if waiting else str(new.requested_by)
        )
        outcome = Outcome(fact.text, facts=(fact,), records=(record,))
    return outcome if waiting else _supersede_older(context, outcome, target, version)


def _supersede_older(context: TaskContext, outcome: Outcome, target: Target, version: Version) -> Outcome:
    """End open requests for older versions, where the policy says so."""
    if isinstance(target.approval, Approval) and target.approval.on_newer_candidate == "keep":
        return outcome
    with context.ledger.read() as connection:
        older = [
            one
            for one in still_open(connection, model=version.model)
            if one.target == target.stage and one.version < version.version and one.state != PromotionState.APPROVED
        ]
    why = f"version {version.version} came after it"
    facts = tuple(
        promotion_fact(
            FactType.PROMOTION_SUPERSEDED, one, f"the promotion of {one} is superseded: {why}", by=version.version
        )
        for one in older
    )
    ended = tuple(PromotionStateChanged(one.id, PromotionState.SUPERSEDED, why) for one in older)
    return replace(outcome, facts=(*facts, *outcome.facts), records=(*ended, *outcome.records))

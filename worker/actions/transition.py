"""worker.transition, on model_version.transition and after an approval: move a version to a stage.

What was approved is checked once more right before: it may have changed, or a time gate may be closed. A target without
gates and approvals still checks where a version comes from, because earlier targets may have some. Leaving a target
that needs approval, for any stage, takes the same permission as a rollback.
"""

from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.promotions import Promotion, PromotionStateChanged, Reevaluated, get
from registrar.ledger.votes import approvals
from registrar.policy import Target
from worker.promotions import approval_request, version_state
from worker.promotions.deployments import request_deployment
from worker.promotions.evidence import gather, target_of
from worker.promotions.rollback_target import admitted_versions, past_holders
from worker.promotions.time_gates import ClosedTimeGate
from worker.promotions.transition_rules import failed_gates, removal_refusal, wrong_start
from worker.promotions.transitions import move
from worker.promotions.version_state import current_stage
from worker.registry.entities import Version
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    stage = str(context.param("stage"))
    if promotion := context.task.args.get("promotion"):
        return _promoted(context, str(promotion))
    target = context.policy.model(context.model).target(stage)
    if target and target.guarded:
        asked = FollowUp("worker.request", {"version": context.version, "target": stage})
        which = f"{context.model} version {context.version}"
        text = f"{stage} of {context.model} is guarded: {which} is tried against its policy"
        return Outcome(summary=text, follow_ups=(asked,))
    version = _free(context, stage)
    if why := removal_refusal(context, version, stage):
        raise Refused(why)
    if target and (why := _off_the_way(context, version, target)):
        raise Refused(f"{version} may not go to {stage}: {why}")
    return request_deployment(context, move(context, version, stage, reason=context.param("reason")), version, stage)


def _free(context: TaskContext, stage: str) -> Version:
    """Raises Refused for a version that was rolled back."""
    version = context.registry.version(context.model, context.version)
    if stage in ("Staging", "Production") and (
        past_holders := version_state.quarantine_reason(context.ledger, version)
    ):
        raise Refused(f"{version} may not go to {stage}: {past_holders}")
    return version


def _off_the_way(context: TaskContext, version: Version, target: Target) -> str | None:
    """Return why a version may not come to a target without rules, or, if a hand put it there, be completed there."""
    policy = context.policy.model(context.model)
    if current_stage(policy, version) != target.stage:
        return wrong_start(context.policy, version, target)
    # A move that a first attempt began is completed; a version that was admitted before is not evaluated again.
    if context.task.attempts > 1 or version.version in admitted_versions(context.ledger, context.model, policy, target):
        return None
    return failed_gates(context, version, target.stage)


def _promoted(context: TaskContext, promotion_id: str) -> Outcome:
    with context.ledger.read() as connection:
        promotion = get(connection, promotion_id)
    if promotion is None or promotion.state != "approved":
        return Outcome(f"promotion {promotion_id} is not approved any more; nothing was moved")
    target, version = target_of(context, promotion.target), _free(context, promotion.target)
    there = current_stage(context.policy.model(context.model), version) == target.stage
    # A move that a first attempt began is completed; a version that a hand put there is evaluated.
    if context.task.attempts == 1 or not there:
        evidence = gather(context, version, target)
        if what := evidence.changed_since(promotion.evidence):
            return approval_request.request_again(promotion, approval_request.changed_reason(promotion, what))
        if not there and (wrong := wrong_start(context.policy, version, target)):
            return approval_request.request_again(promotion, f"{promotion} can't be done as it was approved ({wrong})")
        if not there and (newer := _newer(context, promotion, target)):
            return approval_request.request_again(
                promotion, f"version {newer} came to {target.stage} since {promotion} was approved"
            )
        if evidence.closed_gates and not promotion.broke_glass:
            return _later(promotion, evidence.closed_gates)
    return _done(context, promotion, target, version)


def _newer(context: TaskContext, promotion: Promotion, target: Target) -> int | None:
    """Return a newer version that came while this one waited: its approvers did not mean to replace that."""
    with context.ledger.read() as connection:
        agreed = [at for _, at in approvals(connection, promotion.id)]
    current = past_holders(context.ledger, context.model, context.policy.model(context.model), target)[:1]
    since = max(agreed, default=promotion.asked_at)
    return next((one.version for one in current if one.version > promotion.version and one.since > since), None)


def _later(promotion: Promotion, closed_gates: list[ClosedTimeGate]) -> Outcome:
    """Keep it approved; worker.review requests the transition when it is time."""
    until = max(gate.until for gate in closed_gates)
    reasons = "; ".join(gate.reason for gate in closed_gates)
    text = f"{promotion} is approved and waits until {until:%Y-%m-%d %H:%M} UTC: {reasons}"
    details = {"promotion": promotion.id, "target": promotion.target, "until": until.isoformat()}
    facts = (Fact(FactType.PROMOTION_WAITING, text, promotion.model, promotion.version, details),)
    new = facts if promotion.due_at != until else ()
    return Outcome(text, facts=new, records=(Reevaluated(promotion.id, "approved", until),))


def _done(context: TaskContext, promotion: Promotion, target: Target, version: Version) -> Outcome:
    """Only a promotion requests the next step: a version demoted by hand must not come straight back."""
    nexts = context.policy.model(context.model).next_targets(target.stage)
    asked = (FollowUp("worker.request", {"version": version.version, "target": t.stage}) for t in nexts)
    moved = move(context, version, target.stage, promotion=promotion.id, follow_ups=tuple(asked))
    first = replace(moved.facts[0], details={**moved.facts[0].details, "promotion": promotion.id})
    done = replace(
        moved,
        facts=(first, *moved.facts[1:]),
        records=(*moved.records, PromotionStateChanged(promotion.id, "promoted")),
    )
    return request_deployment(context, done, version, target.stage)

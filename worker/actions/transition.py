"""worker.transition, on model_version.transition and after an approval: move a version to a stage.

The evidence of an approval is checked again right before: it may have changed, or a time gate may be closed. Where
the move follows its evaluation or the last vote at once, what was read for that moments ago counts. A target
without gates and approvals still checks where a version comes from, as earlier targets may have some. Leaving a target
that needs approval, for any stage, takes the same permission as a rollback.
"""

from dataclasses import replace

from registrar.events.facts import FactType
from registrar.events.outcome import FollowUp, LedgerChange, Outcome
from registrar.events.states import PromotionState
from registrar.ledger.holders import HoldingEnded, HoldingStarted
from registrar.ledger.promotions import Promotion, PromotionStateChanged, Reevaluated, get
from registrar.ledger.votes import approvals
from registrar.policy import Target
from registrar.policy.closed_time_gates import ClosedTimeGate
from worker.promotions import version_state
from worker.promotions.closing import changed_reason, promotion_fact, request_again
from worker.promotions.deployments import request_deployment
from worker.promotions.evidence import gather, target_of
from worker.promotions.rollback_target import admitted_versions, past_holders
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
        request = FollowUp("worker.request", {"version": context.version, "target": stage})
        version_name = f"{context.model} version {context.version}"
        text = f"{stage} of {context.model} is guarded: {version_name} is tried against its policy"
        return Outcome(summary=text, follow_ups=(request,))
    version = _read_version(context, stage)
    if why := removal_refusal(context, version, stage):
        raise Refused(why)
    if target and (why := _failed_rule(context, version, target)):
        raise Refused(f"{version} may not go to {stage}: {why}")
    return request_deployment(context, move(context, version, stage, reason=context.param("reason")), version, stage)


def _read_version(context: TaskContext, stage: str) -> Version:
    """Return the version. Raises Refused where it is quarantined and the stage is Staging or Production."""
    version = context.registry.version(context.model, context.version)
    if stage in ("Staging", "Production") and (why := version_state.quarantine_reason(context.ledger, version)):
        raise Refused(f"{version} may not go to {stage}: {why}")
    return version


def _failed_rule(context: TaskContext, version: Version, target: Target) -> str | None:
    """Return why a version may not move to a target without rules, or, if it was moved there by hand, stay there."""
    policy = context.policy.model(context.model)
    if current_stage(policy, version) != target.stage:
        return wrong_start(context.policy, version, target)
    # Not for a move that an earlier attempt began, nor for a version that the policy admitted before.
    if context.task.attempts > 1 or version.version in admitted_versions(context.ledger, context.model, policy, target):
        return None
    return failed_gates(context, version, target.stage)


def _promoted(context: TaskContext, promotion_id: str) -> Outcome:
    with context.ledger.read() as connection:
        promotion = get(connection, promotion_id)
    if promotion is None or promotion.state != PromotionState.APPROVED:
        return Outcome(f"promotion {promotion_id} is no longer approved; nothing was moved")
    # Read anew, so that what a person did to it since is seen.
    target, version = target_of(context, promotion.target), _read_version(context, promotion.target)
    is_there = current_stage(context.policy.model(context.model), version) == target.stage
    # A move that an earlier attempt began is completed; a version that was moved there by hand is evaluated.
    if context.task.attempts == 1 or not is_there:
        evidence = gather(context.with_recent_reads(), version, target)
        if what := evidence.changed_since(promotion.evidence):
            void = request_again(promotion, changed_reason(promotion, what))
            return replace(void, records=(*void.records, *_half_done(context, version, target)))
        if not is_there and (wrong := wrong_start(context.policy, version, target)):
            return request_again(promotion, f"{promotion} can't be done as it was approved ({wrong})")
        if not is_there and (newer := _newer(context, promotion, target)):
            return request_again(promotion, f"version {newer} came to {target.stage} since {promotion} was approved")
        if evidence.closed_gates and not promotion.broke_glass:
            return _wait(promotion, evidence.closed_gates)
    return _move(context, promotion, target, version)


def _half_done(context: TaskContext, version: Version, target: Target) -> tuple[LedgerChange, ...]:
    """Return the records of a stage that an earlier attempt set, where the policy knows no stages by now."""
    if context.task.attempts == 1 or version.stage != target.stage:
        return ()
    ended = HoldingEnded(version.model, "stage", version.version, keep=version.stage)
    return ended, HoldingStarted(version.model, "stage", version.stage, version.version, anew=True)


def _newer(context: TaskContext, promotion: Promotion, target: Target) -> int | None:
    """Return a newer version that came to the target since the last approval: no approver meant to replace it."""
    with context.ledger.read() as connection:
        approved_at = [at for _, at in approvals(connection, promotion.id)]
    current = past_holders(context.ledger, context.model, context.policy.model(context.model), target)[:1]
    since = max(approved_at, default=promotion.asked_at)
    return next((one.version for one in current if one.version > promotion.version and one.since > since), None)


def _wait(promotion: Promotion, closed_gates: list[ClosedTimeGate]) -> Outcome:
    """Keep the promotion approved; worker.review asks for the transition again when its time has come."""
    until = max(gate.until for gate in closed_gates)
    reasons = "; ".join(gate.reason for gate in closed_gates)
    text = f"{promotion} is approved and waits until {until:%Y-%m-%d %H:%M} UTC: {reasons}"
    fact = promotion_fact(FactType.PROMOTION_WAITING, promotion, text, until=until.isoformat())
    facts = (fact,) if promotion.due_at != until else ()
    return Outcome(text, facts=facts, records=(Reevaluated(promotion.id, PromotionState.APPROVED, until),))


def _move(context: TaskContext, promotion: Promotion, target: Target, version: Version) -> Outcome:
    """Move the version, and request the next targets. Other transitions request none: a version demoted by hand must
    not come straight back.
    """
    targets = context.policy.model(context.model).next_targets(target.stage)
    requests = tuple(FollowUp("worker.request", {"version": version.version, "target": t.stage}) for t in targets)
    moved = move(context, version, target.stage, promotion=promotion.id, follow_ups=requests)
    first = replace(moved.facts[0], details={**moved.facts[0].details, "promotion": promotion.id})
    done = replace(
        moved,
        facts=(first, *moved.facts[1:]),
        records=(*moved.records, PromotionStateChanged(promotion.id, PromotionState.PROMOTED)),
    )
    return request_deployment(context, done, version, target.stage)

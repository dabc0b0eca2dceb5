"""worker.review, on model.review: do what is due for the open promotions and deployments of a model.

Everything is read anew, so an event that comes too early, or twice, changes nothing.
"""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.states import DeploymentState, PromotionState
from registrar.ledger.deployments import Deployment, under_way
from registrar.ledger.promotions import Promotion, ReminderSent, still_open
from registrar.queries import deadlines
from worker.promotions import approval_request
from worker.promotions.closing import end_promotion
from worker.promotions.deployments import fail_deployment
from worker.promotions.evidence import gather, target_of
from worker.promotions.voters import approval_of
from worker.registry.protocol import NotFound
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    with context.ledger.read() as connection:
        promotions = still_open(connection, model=context.model)
        deployments = under_way(connection, model=context.model)
    outcomes = [
        *(outcome for promotion in promotions if (outcome := _review_promotion(context, promotion))),
        *(_timed_out(each) for each in deployments if each.due_at and each.due_at <= context.now),
    ]
    return Outcome(
        "; ".join(outcome.summary for outcome in outcomes) or f"nothing is due for {context.model}",
        facts=tuple(fact for outcome in outcomes for fact in outcome.facts),
        follow_ups=tuple(step for outcome in outcomes for step in outcome.follow_ups),
        records=tuple(record for outcome in outcomes for record in outcome.records),
    )


def _review_promotion(context: TaskContext, promotion: Promotion) -> Outcome | None:
    match deadlines.due_action(promotion, approval_of(context, promotion), context.now):
        case "go on":
            return _continue(promotion)
        case "expire":
            return _expired(promotion)
        case "escalate":
            return _remind(context, promotion, FactType.PROMOTION_ESCALATED)
        case "remind":
            return _remind(context, promotion, FactType.PROMOTION_REMINDER)
    return None


def _continue(promotion: Promotion) -> Outcome:
    """Return the follow-up for a promotion that waited for a time gate: the action that made it wait."""
    if promotion.state == PromotionState.WAITING:
        name, goal = "worker.request", {"target": promotion.target}
    else:
        name, goal = "worker.transition", {"stage": promotion.target}
    # It names the promotion, which its permanent error ends.
    step = FollowUp(name, {"version": promotion.version, "promotion": promotion.id, **goal})
    return Outcome(f"{promotion} goes on", follow_ups=(step,))


def _expired(promotion: Promotion) -> Outcome:
    text = f"nobody decided about {promotion}, asked for on {promotion.asked_at:%Y-%m-%d %H:%M} UTC: it has expired"
    return end_promotion(promotion, PromotionState.EXPIRED, FactType.PROMOTION_EXPIRED, text, text)


def _remind(context: TaskContext, promotion: Promotion, type_: FactType) -> Outcome:
    """Ask again, with the evidence as it is now. If approvals are bound to other evidence, the next vote says so."""
    try:
        version = context.registry.version(promotion.model, promotion.version)
        evidence = gather(context, version, target_of(context, promotion.target))
    except NotFound as error:
        return _gone(promotion, str(error))
    approval, escalated = approval_of(context, promotion), type_ == FactType.PROMOTION_ESCALATED
    to = tuple(approval.escalate.to) if escalated and approval and approval.escalate else ()
    fact = approval_request.reminder_fact(context, evidence, promotion, type_, to)
    return Outcome(fact.text, facts=(fact,), records=(ReminderSent(promotion.id, escalated),))


def _gone(promotion: Promotion, why: str) -> Outcome:
    """Fail a promotion whose version is gone, and go on with the model's other promotions."""
    text = f"the promotion of {promotion} has failed: {why}"
    return end_promotion(promotion, PromotionState.FAILED, FactType.PROMOTION_FAILED, text, why)


def _timed_out(deployment: Deployment) -> Outcome:
    text = f"the deployment of {deployment.model} version {deployment.version} was not confirmed in time"
    details = {"deployment": deployment.id, "target": deployment.target, "environment": deployment.environment}
    fact = Fact(FactType.DEPLOYMENT_TIMED_OUT, text, deployment.model, deployment.version, details)
    return fail_deployment(deployment, DeploymentState.TIMED_OUT, fact)

"""worker.review, on model.review: do what is due for the open promotions and deployments of a model.

Everything is read anew: an event that comes too early, or twice, changes nothing.
"""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.deployments import Deployment, under_way
from registrar.ledger.promotions import Promotion, PromotionStateChanged, ReminderSent, still_open
from worker.promotions import approval_request, deadlines
from worker.promotions.deployments import fail_deployment
from worker.promotions.evidence import gather, target_of
from worker.promotions.voters import approval_of
from worker.registry.protocol import NotFound
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    with context.ledger.read() as connection:
        promotions = still_open(connection, model=context.model)
        deployments = under_way(connection, model=context.model)
    done = [
        *(outcome for one in promotions if (outcome := _promotion(context, one))),
        *(_timed_out(context, one) for one in deployments if one.due_at and one.due_at <= context.now),
    ]
    return Outcome(
        "; ".join(one.summary for one in done) or f"nothing is due for {context.model}",
        facts=tuple(fact for one in done for fact in one.facts),
        follow_ups=tuple(step for one in done for step in one.follow_ups),
        records=tuple(record for one in done for record in one.records),
    )


def _promotion(context: TaskContext, promotion: Promotion) -> Outcome | None:
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
    """Evaluate again what waited for this time, by the action that made it wait."""
    if promotion.state == "waiting":
        name, where = "worker.request", {"target": promotion.target}
    else:
        name, where = "worker.transition", {"stage": promotion.target}
    # A permanent error of it ends the promotion that it names.
    step = FollowUp(name, {"version": promotion.version, "promotion": promotion.id, **where})
    return Outcome(f"{promotion} goes on", follow_ups=(step,))


def _expired(promotion: Promotion) -> Outcome:
    text = f"nobody decided about {promotion}, asked for on {promotion.asked_at:%Y-%m-%d %H:%M} UTC: it has expired"
    details = {"promotion": promotion.id, "target": promotion.target}
    fact = Fact(FactType.PROMOTION_EXPIRED, text, promotion.model, promotion.version, details)
    return Outcome(text, facts=(fact,), records=(PromotionStateChanged(promotion.id, "expired", text),))


def _remind(context: TaskContext, promotion: Promotion, type_: FactType) -> Outcome:
    """Show the evidence as it is now. Where approvals are bound to other evidence, the next vote says so."""
    try:
        version = context.registry.version(promotion.model, promotion.version)
        evidence = gather(context, version, target_of(context, promotion.target))
    except NotFound as gone:
        return _gone(promotion, str(gone))
    approval, escalated = approval_of(context, promotion), type_ == FactType.PROMOTION_ESCALATED
    to = tuple(approval.escalate.to) if escalated and approval and approval.escalate else ()
    fact = approval_request.reminder_fact(context, evidence, promotion, type_, to)
    return Outcome(fact.text, facts=(fact,), records=(ReminderSent(promotion.id, escalated),))


def _gone(promotion: Promotion, why: str) -> Outcome:
    """Fail a promotion whose version is gone; the model's other promotions don't wait for it."""
    text = f"the promotion of {promotion} has failed: {why}"
    details = {"promotion": promotion.id, "target": promotion.target}
    fact = Fact(FactType.PROMOTION_FAILED, text, promotion.model, promotion.version, details)
    return Outcome(text, facts=(fact,), records=(PromotionStateChanged(promotion.id, "failed", why),))


def _timed_out(context: TaskContext, deployment: Deployment) -> Outcome:
    text = f"the deployment of {deployment.model} version {deployment.version} was not confirmed in time"
    details = {"deployment": deployment.id, "target": deployment.target, "environment": deployment.environment}
    fact = Fact(FactType.DEPLOYMENT_TIMED_OUT, text, deployment.model, deployment.version, details)
    return fail_deployment(context, deployment, "timed_out", text, fact)

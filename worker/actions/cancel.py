"""worker.cancel, on promotion.cancel: withdraw an open request; allowed for its requester and members of its groups."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import PromotionCancel
from registrar.ledger.promotions import Promotion, PromotionStateChanged
from worker.promotions.approval_request import pick_instruction
from worker.promotions.voters import approval_of, load_subject, subject_change
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(PromotionCancel)
    promotion = load_subject(context)
    if why := subject_change(context):
        raise Refused(f"nothing was cancelled: {why}; look at it, and say it again")
    if promotion is None or not promotion.open:
        asked = f"{data.model} version {data.version} to {data.target}"
        raise Refused(f"nothing to cancel: no promotion of {asked} is open")
    if (promotion.model, promotion.version, promotion.target) != (data.model, data.version, data.target):
        raise Refused(f"that promotion is about {promotion}, not about {data.model} version {data.version}")
    if not _may(context, promotion):
        raise Refused(f"{context.actor_name} may not cancel {promotion}: neither asked for it nor may approve it")
    if promotion.state == "approved" and promotion.due_at is None:
        back = pick_instruction(context, chat="rollback MODEL WHY", web="registrar rollback", event="model.rollback")
        raise Refused(f"{promotion} is approved already and under way; {back} brings the version before back")
    reason = f": {data.reason}" if data.reason else ""
    text = f"the promotion of {promotion} was cancelled by {context.actor_name}{reason}"
    fact = Fact(
        FactType.PROMOTION_CANCELLED,
        text,
        promotion.model,
        promotion.version,
        {"promotion": promotion.id, "target": promotion.target},
    )
    return Outcome(
        summary=text, facts=(fact,), records=(PromotionStateChanged(promotion.id, "cancelled", data.reason),)
    )


def _may(context: TaskContext, promotion: Promotion) -> bool:
    approval = approval_of(context, promotion)
    groups = approval.groups if approval else []
    return context.task.actor == promotion.requested_by or context.policy.belongs(context.task.actor, groups)

"""worker.cancel, on promotion.cancel: withdraw an open request; its requester and members of its groups may."""

from registrar.events.facts import FactType
from registrar.events.outcome import Outcome
from registrar.events.states import PromotionState
from registrar.events.types import PromotionCancel
from registrar.queries.voting import may_cancel
from worker.promotions.closing import end_promotion
from worker.promotions.instructions import pick_instruction
from worker.promotions.voters import load_subject, subject_change
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(PromotionCancel)
    promotion = load_subject(context)
    if why := subject_change(context):
        raise Refused(f"nothing was cancelled: {why}; look at it, and say it again")
    if promotion is None or not promotion.open:
        step = f"{data.model} version {data.version} to {data.target}"
        raise Refused(f"nothing to cancel: no promotion of {step} is open")
    if (promotion.model, promotion.version, promotion.target) != (data.model, data.version, data.target):
        raise Refused(f"that promotion is about {promotion}, not about {data.model} version {data.version}")
    if not may_cancel(context.policy, promotion, context.task.actor):
        raise Refused(f"{context.actor_name} may not cancel {promotion}: neither asked for it nor may approve it")
    if promotion.state == PromotionState.APPROVED and promotion.due_at is None:
        undo = pick_instruction(context, chat="rollback MODEL WHY", web="registrar rollback", event="model.rollback")
        raise Refused(f"{promotion} is approved already and under way; {undo} brings the version before back")
    reason = f": {data.reason}" if data.reason else ""
    text = f"the promotion of {promotion} was cancelled by {context.actor_name}{reason}"
    return end_promotion(promotion, PromotionState.CANCELLED, FactType.PROMOTION_CANCELLED, text, data.reason)

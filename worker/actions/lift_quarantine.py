"""worker.lift_quarantine, on quarantine.lift: allow a version that was rolled back to be requested again.

Allowed are the approvers of any target of the model; where no target needs approval, any source that may send the
event.
"""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import QuarantineLift
from registrar.ledger.version_state import Key
from registrar.policy.approvals import Approval
from worker.promotions import version_state
from worker.promotions.version_state import set_state
from worker.promotions.voters import format_groups
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(context: TaskContext) -> Outcome:
    data = context.data_as(QuarantineLift)
    _permit(context)
    version = context.registry.version(data.model, data.version)
    quarantine = version_state.quarantine_reason(context.ledger, version)
    if quarantine is None:
        return Outcome(f"{version} is not quarantined; nothing to do")
    text = f"the quarantine of {version} was lifted by {context.actor_name}: {data.reason}"
    details = {"reason": data.reason, "was": quarantine, "by": context.actor_name}
    fact = Fact(FactType.QUARANTINE_LIFTED, text, version.model, version.version, details)
    return Outcome(text, facts=(fact,), records=(set_state(context, version, Key.QUARANTINED, None, why=data.reason),))


def _permit(context: TaskContext) -> None:
    """Raise Refused for an actor who may approve no promotion of the model."""
    approvals = [target.approval for target in context.policy.model(context.model).targets]
    groups = [group for approval in approvals if isinstance(approval, Approval) for group in approval.groups]
    if groups and not context.policy.belongs(context.task.actor, groups):
        members = format_groups(context, groups)
        raise Refused(f"{context.actor_name} may not lift a quarantine of {context.model}; these may: {members}")

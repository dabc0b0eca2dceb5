"""worker.lift_quarantine, on quarantine.lift: a version that was rolled back may be asked for again.

Who may approve a promotion of the model may also lift; where nobody has to approve, whoever may send the event.
"""

from registrar.events.outcome import Fact, Outcome
from registrar.events.types import QuarantineLift
from registrar.ledger.version_state import Key
from registrar.policy.approvals import Approval
from worker.promotions import quarantine
from worker.promotions.version_state import put
from worker.promotions.voters import allowed
from worker.registry.protocol import Refused
from worker.task_context import TaskContext


def act(work: TaskContext) -> Outcome:
    data = work.data_as(QuarantineLift)
    _permit(work)
    version = work.registry.version(data.model, data.version)
    held = quarantine.why(work.ledger, version)
    if held is None:
        return Outcome(f"{version} is not quarantined; nothing to do")
    text = f"the quarantine of {version} was lifted by {work.who}: {data.reason}"
    details = {"reason": data.reason, "was": held, "by": work.who}
    fact = Fact("quarantine.lifted", text, version.model, version.version, details)
    return Outcome(text, facts=(fact,), records=(put(work, version, Key.QUARANTINED, None, why=data.reason),))


def _permit(work: TaskContext) -> None:
    """Raise Refused for somebody who may approve no promotion of the model."""
    approvals = [target.approval for target in work.policy.model(work.model).targets]
    groups = [group for one in approvals if isinstance(one, Approval) for group in one.groups]
    if groups and not work.policy.belongs(work.task.actor, groups):
        raise Refused(f"{work.who} may not lift a quarantine of {work.model}; these may: {allowed(work, groups)}")

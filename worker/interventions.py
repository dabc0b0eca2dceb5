"""What the actions retry, discard_task and resend share: a dead letter, and a plan of what a resent event would do."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.types import (
    Data,
    ModelVersionTransition,
    PromotionRequest,
    Registration,
    TaskDrop,
    TaskRetry,
    Vote,
)
from registrar.ledger import dead_letters
from registrar.ledger.dead_letters import DeadLetter
from worker.promotions import registration
from worker.promotions.evidence import EvaluationContext
from worker.promotions.plan import Plan, plan
from worker.promotions.registration import choose_run, find_registered
from worker.registry.protocol import PermanentError, Refused
from worker.task_context import TaskContext


def load_dead_letter(context: TaskContext, data: TaskRetry | TaskDrop) -> DeadLetter:
    """Load the task. Raises Refused, too, for one of another model than was named: the source has no grant for that."""
    with context.ledger.read() as connection:
        found = dead_letters.get_dead_letter(connection, data.task_id)
    if found is None or found.model != data.model:
        about = f"about {data.model}" if data.model else "about no model"
        raise Refused(f"there is no task {data.task_id} {about}; `registrar dead list` shows each with its model")
    return found


def dead_letter_outcome(
    type_: FactType, text: str, found: DeadLetter, reason: str | None, record: LedgerChange
) -> Outcome:
    """record: what changes in the ledger."""
    because = f": {reason}" if reason else ""
    about = {"promotion": found.promotion} if found.state == "queued" and found.promotion else {}
    details = {"task": found.id, "event": found.event_id, "reason": reason, "was": found.was(), **about}
    fact = Fact(type_, f"{text}{because}", found.model, found.args.get("version"), details)
    return Outcome(fact.text, facts=(fact,), records=(record,))


def plan_resend(evaluation: EvaluationContext, data: Data) -> Plan:
    """data: of the new event. Raises RetryableError where the registry does not answer."""
    try:
        found = _plan(evaluation, data)
    except PermanentError as error:
        found = Plan("blocked", [f"✗ {error}"])
    return Plan(found.state, [f"{data.task} would act on it", *found.lines])


def _plan(evaluation: EvaluationContext, data: Data) -> Plan:
    match data:
        case Registration():
            return _registration(evaluation, data)
        case PromotionRequest():
            return plan(evaluation, data.model, data.version, data.target)
        case ModelVersionTransition() if evaluation.policy.model(data.model).target(data.stage):
            return plan(evaluation, data.model, data.version, data.stage)
        case Vote():
            return Plan("ready", ["it would be a vote of whoever replays it, and never once more the first voter's"])
    return Plan("ready", ["what is as it should be already is left as it is"])


def _registration(evaluation: EvaluationContext, data: Registration) -> Plan:
    path = evaluation.policy.model(data.model).artifact_path
    run, source = choose_run(evaluation.registry, data, path)
    if earlier := find_registered(evaluation.registry, data, run, source, path):
        if registration.is_foreign(earlier):
            return Plan("ready", [f"{earlier} of run {run.id}, which is in MLflow already, would be taken up"])
        return Plan("nothing to do", [f"run {run.id} is {earlier} already"])
    return Plan("ready", [f"run {run.id} would become a new version of {data.model}"])

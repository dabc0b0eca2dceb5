"""Dead letters and their outcomes, for retry and discard_task; plans of resent events, for resend."""

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, LedgerChange, Outcome
from registrar.events.states import TaskState
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
from worker.promotions import adoption, announcement
from worker.promotions.evidence import EvaluationContext
from worker.promotions.plan import Plan, plan
from worker.promotions.registration import choose_run, find_registered
from worker.promotions.version_state import recorded
from worker.registry.protocol import PermanentError, Refused
from worker.task_context import TaskContext


def load_dead_letter(context: TaskContext, data: TaskRetry | TaskDrop) -> DeadLetter:
    """Return the task that the event names. Raises Refused also for a task of another model than the event names: the
    source's grants are for that model.
    """
    with context.ledger.read() as connection:
        letter = dead_letters.get_dead_letter(connection, data.task_id)
    if letter is None or letter.model != data.model:
        about = f"about {data.model}" if data.model else "about no model"
        raise Refused(f"there is no task {data.task_id} {about}; `registrar dead list` shows each with its model")
    return letter


def dead_letter_outcome(
    type_: FactType, text: str, letter: DeadLetter, reason: str | None, record: LedgerChange
) -> Outcome:
    """Return the outcome of an intervention. record: what it changes in the ledger."""
    because = f": {reason}" if reason else ""
    about = {"promotion": letter.promotion} if letter.state == TaskState.QUEUED and letter.promotion else {}
    details = {"task": letter.id, "event": letter.event_id, "reason": reason, "was": letter.was(), **about}
    fact = Fact(type_, f"{text}{because}", letter.model, letter.args.get("version"), details)
    return Outcome(fact.text, facts=(fact,), records=(record,))


def plan_resend(evaluation: EvaluationContext, data: Data) -> Plan:
    """Return what the event would do if it were sent again. data: of the new event. Raises RetryableError where the
    registry does not answer.
    """
    try:
        effect = _plan(evaluation, data)
    except PermanentError as error:
        effect = Plan("blocked", [f"✗ {error}"])
    return Plan(effect.state, [f"{data.task} would act on it", *effect.lines])


def _plan(evaluation: EvaluationContext, data: Data) -> Plan:
    match data:
        case Registration():
            return _registration(evaluation, data)
        case PromotionRequest():
            return plan(evaluation, data.model, data.version, data.target)
        case ModelVersionTransition() if evaluation.policy.model(data.model).target(data.stage):
            return plan(evaluation, data.model, data.version, data.stage)
        case Vote():
            return Plan("ready", ["it would be a vote of the person who sends it again, not of the first voter"])
    return Plan("ready", ["what is as it should be already is left as it is"])


def _registration(evaluation: EvaluationContext, data: Registration) -> Plan:
    run, source = choose_run(evaluation.registry, data, evaluation.policy.model(data.model))
    if earlier := find_registered(evaluation.registry, data, run, source):
        if announcement.is_due(recorded(evaluation.ledger, earlier)):
            return Plan(
                "ready", [f"{earlier} of run {run.id}, taken in from MLflow, would get what the event says of it"]
            )
        if not adoption.is_registered(evaluation, earlier):
            return Plan("ready", [f"{earlier} of run {run.id}, which is in MLflow already, would be taken up"])
        return Plan("nothing to do", [f"run {run.id} is {earlier} already"])
    return Plan("ready", [f"run {run.id} would become a new version of {data.model}"])

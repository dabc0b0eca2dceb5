"""What sending an event again would do, without doing it."""

from registrar.events.types import Data, ModelVersionTransition, PromotionRequest, Registration, Vote
from worker.promotions import registration
from worker.promotions.evidence import EvaluationContext
from worker.promotions.plan import Plan, plan
from worker.promotions.registration import choose_run, find_registered
from worker.registry.protocol import PermanentError


def plan_replay(evaluation: EvaluationContext, data: Data) -> Plan:
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

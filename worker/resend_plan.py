"""What sending an event again would do, without doing it."""

from registrar.events.types import Data, ModelVersionTransition, PromotionRequest, Registration, Vote
from worker.promotions import adoption
from worker.promotions.evidence import EvaluationContext
from worker.promotions.plan import Plan, plan
from worker.promotions.registration import chosen, registered
from worker.registry.protocol import PermanentError


def plan_replay(look: EvaluationContext, data: Data) -> Plan:
    """data: of the new event. Raises Retryable where the registry does not answer."""
    try:
        found = _plan(look, data)
    except PermanentError as error:
        found = Plan("blocked", [f"✗ {error}"])
    return Plan(found.state, [f"{data.task} would act on it", *found.lines])


def _plan(look: EvaluationContext, data: Data) -> Plan:
    match data:
        case Registration():
            return _registration(look, data)
        case PromotionRequest():
            return plan(look, data.model, data.version, data.target)
        case ModelVersionTransition() if look.policy.model(data.model).target(data.stage):
            return plan(look, data.model, data.version, data.stage)
        case Vote():
            return Plan("ready", ["it would be a vote of whoever replays it, and never once more the first voter's"])
    return Plan("ready", ["what is as it should be already is left as it is"])


def _registration(look: EvaluationContext, data: Registration) -> Plan:
    path = look.policy.model(data.model).artifact_path
    run, source = chosen(look.registry, data, path)
    if earlier := registered(look.registry, data, run, source, path):
        if adoption.is_foreign(earlier):
            return Plan("ready", [f"{earlier} of run {run.id}, which is in MLflow already, would be taken up"])
        return Plan("nothing to do", [f"run {run.id} is {earlier} already"])
    return Plan("ready", [f"run {run.id} would become a new version of {data.model}"])

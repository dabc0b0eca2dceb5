"""worker.deployed, on deployment.succeeded and deployment.failed: mark the awaited deployment as live, or roll it back.

A success after a timeout or failure counts, too: nothing moves, but a rollback may go to the version. A report about a
version that the record does not know is announced as such, with its author.
"""

from typing import Any

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.states import DeploymentState
from registrar.events.types import Deployment, DeploymentSucceeded
from registrar.ledger import deployments
from registrar.ledger.act_subjects import original_seq
from registrar.ledger.deployments import IN_VAIN, DeploymentEnded
from registrar.ledger.queries.versions import is_known
from worker.promotions.deployments import fail_deployment
from worker.task_context import TaskContext

# In the text of a resent event.
AGAIN = ": told again of an earlier deployment, so nothing changes"
_UNCONFIRMED = {
    DeploymentState.TIMED_OUT: "it had not been confirmed in time",
    DeploymentState.FAILED: "it had been said to have failed",
}


def act(context: TaskContext) -> Outcome:
    data = context.data_as(Deployment)
    awaited = _find_deployment(context, data)
    version = f"{data.model} version {data.version}"
    again = "" if context.task.original_seq == context.task.event_seq else AGAIN
    if isinstance(data, DeploymentSucceeded):
        text = f"{version} was deployed to {data.environment}" + (_live(awaited) if awaited else again)
    else:
        text = f"the deployment of {version} to {data.environment} failed" + ("" if awaited else again)
    details: dict[str, Any] = {"environment": data.environment, "url": data.url, "commit": data.commit}
    if awaited is None and not _is_known(context, data):
        text = f"{context.actor_name} reported: {text}; the record knows no such version"
        details |= {"version_known": False, "commit": None}  # sets no commit's status
    fact = Fact(FactType(data.type), text, data.model, data.version, details)
    if awaited is None:
        return Outcome(text, facts=(fact,))
    if isinstance(data, DeploymentSucceeded):
        return Outcome(text, facts=(fact,), records=(DeploymentEnded(awaited.id, DeploymentState.LIVE),))
    return fail_deployment(awaited, DeploymentState.FAILED, fact)


def _live(awaited: deployments.Deployment) -> str:
    if awaited.state in IN_VAIN:
        return f"; {_UNCONFIRMED[DeploymentState(awaited.state)]}"
    return f": {awaited.target} is live"


def _is_known(context: TaskContext, data: Deployment) -> bool:
    with context.ledger.read() as connection:
        return is_known(connection, data.model, data.version)


def _find_deployment(context: TaskContext, data: Deployment) -> deployments.Deployment | None:
    """Return the awaited deployment of this version; for a success also the last one that failed or timed out.

    A report about another version, environment or time ends nothing.
    """
    with context.ledger.read() as connection:
        candidates = deployments.under_way(connection, model=data.model)
        if isinstance(data, DeploymentSucceeded):
            candidates += deployments.late(connection, data.model, data.version)
        for each in candidates:
            fits = each.version == data.version and each.environment in (None, data.environment)
            # A resent event, or a retried task, may be about an earlier deployment.
            if fits and original_seq(connection, each.event_id) < context.task.original_seq:
                return each
    return None

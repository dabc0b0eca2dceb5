"""worker.deployed, on deployment.succeeded and deployment.failed: mark the awaited deployment as live, or roll it back.

A late success counts, after a timeout or failure: nothing is moved, but a rollback may go there. A report about a
version that the record does not know is announced as a report, with its author.
"""

from typing import Any

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, Outcome
from registrar.events.types import Deployment, DeploymentSucceeded
from registrar.ledger.act_subjects import original_seq
from registrar.ledger.deployments import IN_VAIN, DeploymentEnded, late, under_way
from registrar.ledger.deployments import Deployment as Asked
from registrar.ledger.queries.versions import is_known
from worker.promotions.deployments import fail_deployment
from worker.task_context import TaskContext

AGAIN = ": told again of an earlier deployment, so nothing changes"  # a resent event


def act(context: TaskContext) -> Outcome:
    data = context.data_as(Deployment)
    asked = _find_deployment(context, data)
    version = f"{data.model} version {data.version}"
    again = "" if context.task.original_seq == context.task.event_seq else AGAIN
    if isinstance(data, DeploymentSucceeded):
        text = f"{version} was deployed to {data.environment}" + (_live(asked) if asked else again)
    else:
        text = f"the deployment of {version} to {data.environment} failed" + ("" if asked else again)
    details: dict[str, Any] = {"environment": data.environment, "url": data.url, "commit": data.commit}
    if asked is None and not _is_known(context, data):
        text = f"{context.actor_name} reported: {text}; the record knows no such version"
        details |= {"version_known": False, "commit": None}  # sets no commit's status
    fact = Fact(FactType(data.type), text, data.model, data.version, details)
    if asked is None:
        return Outcome(text, facts=(fact,))
    if isinstance(data, DeploymentSucceeded):
        return Outcome(text, facts=(fact,), records=(DeploymentEnded(asked.id, "live"),))
    return fail_deployment(context, asked, "failed", text, fact)


def _live(asked: Asked) -> str:
    before = {"timed_out": "it had not been confirmed in time", "failed": "it had been said to have failed"}
    return f"; {before[asked.state]}" if asked.state in IN_VAIN else f": {asked.target} is live"


def _is_known(context: TaskContext, data: Deployment) -> bool:
    with context.ledger.read() as connection:
        return is_known(connection, data.model, data.version)


def _find_deployment(context: TaskContext, data: Deployment) -> Asked | None:
    """Return the awaited deployment of this version; for a success also the last one that failed or timed out.

    A report about another version, environment or time ends nothing.
    """
    with context.ledger.read() as connection:
        found = under_way(connection, model=data.model)
        if isinstance(data, DeploymentSucceeded):
            found += late(connection, data.model, data.version)
        same = [one for one in found if one.version == data.version and one.environment in (None, data.environment)]
        # A resent event, or a retried task, may be about an earlier deployment.
        return next((one for one in same if original_seq(connection, one.event_id) < context.task.original_seq), None)

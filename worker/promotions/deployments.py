"""Request the deployment of a version that reached its target, and end one that failed."""

from dataclasses import replace
from datetime import datetime

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.events.states import DeploymentState
from registrar.ledger.deployments import Deployment, DeploymentEnded, DeploymentRequested
from registrar.text.duration import length
from worker.registry.entities import Version
from worker.task_context import TaskContext


def request_deployment(
    context: TaskContext, moved: Outcome, version: Version, stage: str, *, on_failure: str | None = None
) -> Outcome:
    """Return a move's outcome with the deployment that its target asks for, if any.

    on_failure: replaces the policy's; a rollback's version must not be rolled back again.
    """
    target = context.policy.model(version.model).target(stage)
    if target is None or target.deploy is None:
        return moved
    deploy = target.deploy
    due = context.now + length(deploy.confirm_within) if deploy.confirm_within else None
    deployment = DeploymentRequested(
        version.model, version.version, stage, deploy.environment, due, on_failure or deploy.on_failure
    )
    fact = replace(_fact(moved.facts[0], deployment, due), to=tuple(deploy.to))
    awaited = (deployment,) if due else ()
    return replace(moved, facts=(*moved.facts, fact), records=(*moved.records, *awaited))


def _fact(move: Fact, deployment: DeploymentRequested, due: datetime | None) -> Fact:
    """Return the fact for the deployment. move: the fact of the version's move, whose details it repeats."""
    where = f" to {deployment.environment}" if deployment.environment else ""
    by = f"; to be confirmed by {due:%Y-%m-%d %H:%M} UTC" if due else ""
    text = f"{deployment.model} version {deployment.version} is to be deployed{where}{by}"
    details = {
        **move.details,
        "deployment": deployment.id,
        "target": deployment.target,
        "environment": deployment.environment,
        "due_at": due.isoformat() if due else None,
    }
    return Fact(FactType.DEPLOYMENT_REQUESTED, text, deployment.model, deployment.version, details)


def fail_deployment(deployment: Deployment, state: DeploymentState, fact: Fact) -> Outcome:
    """Return the outcome that ends a deployment as failed or timed out, and rolls back where the policy says so."""
    follow_ups: tuple[FollowUp, ...] = ()
    if deployment.on_failure == "rollback":
        args = {
            "target": deployment.target,
            "reason": fact.text,
            "bad": deployment.version,
            "deployment": deployment.id,
        }
        follow_ups = (FollowUp("worker.rollback", args),)
    return Outcome(fact.text, facts=(fact,), records=(DeploymentEnded(deployment.id, state),), follow_ups=follow_ups)

"""Request the deployment of a version that reached its target, and end one that failed."""

from dataclasses import replace
from datetime import datetime

from registrar.events.facts import FactType
from registrar.events.outcome import Fact, FollowUp, Outcome
from registrar.ledger.deployments import Deployment, DeploymentEnded, DeploymentRequested
from registrar.policy.duration import length
from worker.registry.entities import Version
from worker.task_context import TaskContext


def request_deployment(
    context: TaskContext, moved: Outcome, version: Version, stage: str, *, on_failure: str | None = None
) -> Outcome:
    """Return a move's outcome together with the deployment that the target asks for, if any.

    on_failure: overrides the policy's: a version that a rollback brought back is not rolled back again.
    """
    target = context.policy.model(version.model).target(stage)
    if target is None or target.deploy is None:
        return moved
    deploy = target.deploy
    due = context.now + length(deploy.confirm_within) if deploy.confirm_within else None
    asked = DeploymentRequested(
        version.model, version.version, stage, deploy.environment, due, on_failure or deploy.on_failure
    )
    told = replace(_fact(moved.facts[0], asked, due), to=tuple(deploy.to))
    awaited = (asked,) if due else ()
    return replace(moved, facts=(*moved.facts, told), records=(*moved.records, *awaited))


def _fact(move: Fact, asked: DeploymentRequested, due: datetime | None) -> Fact:
    """move: the fact of the version's move."""
    where = f" to {asked.environment}" if asked.environment else ""
    by = f"; to be confirmed by {due:%Y-%m-%d %H:%M} UTC" if due else ""
    text = f"{asked.model} version {asked.version} is to be deployed{where}{by}"
    details = {
        **move.details,
        "deployment": asked.id,
        "target": asked.target,
        "environment": asked.environment,
        "due_at": due.isoformat() if due else None,
    }
    return Fact(FactType.DEPLOYMENT_REQUESTED, text, asked.model, asked.version, details)


def fail_deployment(context: TaskContext, found: Deployment, state: str, text: str, fact: Fact) -> Outcome:
    """state: failed or timed_out. The version is rolled back where the policy says so."""
    follow_ups: tuple[FollowUp, ...] = ()
    if found.on_failure == "rollback":
        args = {"target": found.target, "reason": text, "bad": found.version, "deployment": found.id}
        follow_ups = (FollowUp("worker.rollback", args),)
    return Outcome(text, facts=(fact,), records=(DeploymentEnded(found.id, state),), follow_ups=follow_ups)

"""Versions that hold a target and never went live there: the last deployment failed, or was never confirmed."""

from registrar.ledger import Connection
from registrar.ledger.deployments import IN_VAIN, Deployment, of_holders
from registrar.policy import Policy


def not_live(policy: Policy, connection: Connection) -> list[Deployment]:
    """Return the last deployment of each such version, by model and target."""
    return [deployment for deployment in last_deployments(policy, connection) if deployment.state in IN_VAIN]


def last_deployments(policy: Policy, connection: Connection, *, model: str | None = None) -> list[Deployment]:
    """Return the last deployment of each version that holds a target, to that target, by model and target."""
    last: dict[tuple[str, str, int], Deployment] = {}
    for holder in of_holders(connection, model=model):
        deployment = holder.deployment
        if (holder.kind, holder.key) == _holding_key(policy, deployment.model, deployment.target):
            last[deployment.model, deployment.target, deployment.version] = deployment
    return [deployment for _, deployment in sorted(last.items())]


def _holding_key(policy: Policy, model: str, stage: str) -> tuple[str, str]:
    """Return the (kind, key) of the holding that decides which version has a target."""
    model_policy = policy.model(model)
    target = model_policy.target(stage)
    return ("alias", target.alias) if model_policy.mode == "aliases" and target and target.alias else ("stage", stage)


def describe_not_live(deployment: Deployment) -> dict[str, object]:
    """Return fields for people and /v1, JSON-able except datetimes."""
    names = ("model", "version", "target", "state", "environment", "requested_at", "due_at", "ended_at")
    return {name: getattr(deployment, name) for name in names}

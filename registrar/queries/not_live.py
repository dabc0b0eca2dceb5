"""Versions that hold a target and never went live there: the last deployment failed, or was never confirmed."""

from registrar.ledger import Connection
from registrar.ledger.deployments import IN_VAIN, Deployment, of_holders
from registrar.policy import Policy


def not_live(policy: Policy, connection: Connection) -> list[Deployment]:
    """Return the last deployment of each such version, by model and target."""
    last: dict[tuple[str, str, int], Deployment] = {}
    for one in of_holders(connection):
        asked = one.deployment
        if (one.kind, one.key) == place(policy, asked.model, asked.target):
            last[asked.model, asked.target, asked.version] = asked
    return [asked for _, asked in sorted(last.items()) if asked.state in IN_VAIN]


def place(policy: Policy, model: str, stage: str) -> tuple[str, str]:
    """Return the (kind, key) of the holding that decides which version has a target."""
    of_model = policy.model(model)
    target = of_model.target(stage)
    return ("alias", target.alias) if of_model.mode == "aliases" and target and target.alias else ("stage", stage)


def describe_not_live(asked: Deployment) -> dict[str, object]:
    """Return fields for people and /v1, JSON-able except datetimes."""
    names = ("model", "version", "target", "state", "environment", "requested_at", "due_at", "ended_at")
    return {name: getattr(asked, name) for name in names}

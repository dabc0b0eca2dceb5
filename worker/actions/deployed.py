"""worker.deployed, on deployment.succeeded and deployment.failed: what was asked for is live, or goes back."""

from registrar.ledger.deployments import Deployment as Asked
from registrar.ledger.deployments import Ended, under_way
from registrar.ledger.pinned import told
from registrar.outcome import Fact, Outcome
from registrar.vocabulary import Deployment, DeploymentSucceeded
from worker.promotion.deployment import failed
from worker.work import Work

AGAIN = ": told again of an earlier deployment, so nothing changes"  # of a replay


def act(work: Work) -> Outcome:
    data = work.data_as(Deployment)
    asked = _asked(work, data)
    version = f"{data.model} version {data.version}"
    again = "" if work.task.told == work.task.event_seq else AGAIN
    if isinstance(data, DeploymentSucceeded):
        text = f"{version} was deployed to {data.environment}" + (f": {asked.target} is live" if asked else again)
    else:
        text = f"the deployment of {version} to {data.environment} failed" + ("" if asked else again)
    details = {"environment": data.environment, "url": data.url, "commit": data.commit}
    fact = Fact(data.type, text, data.model, data.version, details)
    if asked is None:
        return Outcome(text, facts=(fact,))
    if isinstance(data, DeploymentSucceeded):
        return Outcome(text, facts=(fact,), records=(Ended(asked.id, "live"),))
    return failed(work, asked, "failed", text, fact)


def _asked(work: Work, data: Deployment) -> Asked | None:
    """The one that is awaited of this version. A report about another version, place or time ends nothing."""
    with work.ledger.read() as connection:
        found = [
            one
            for one in under_way(connection, model=data.model)
            if one.version == data.version and one.environment in (None, data.environment)
        ]
        # A replay, or a task that is tried again, may be about one that was asked for before.
        return next((one for one in found if told(connection, one.event_id) < work.task.told), None)

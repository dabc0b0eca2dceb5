"""worker.deployed, on deployment.succeeded and deployment.failed: people are told, the registry is left alone."""

from registrar.outcome import Fact, Outcome
from registrar.vocabulary import Deployment, DeploymentSucceeded
from worker.work import Work


def act(work: Work) -> Outcome:
    data = work.data_as(Deployment)
    version = f"{data.model} version {data.version}"
    if isinstance(data, DeploymentSucceeded):
        text = f"{version} was deployed to {data.environment}"
    else:
        text = f"the deployment of {version} to {data.environment} failed"
    details = {"environment": data.environment, "url": data.url, "commit": data.commit}
    return Outcome(text, facts=(Fact(data.type, text, data.model, data.version, details),))

"""What a careful team writes by hand in place of Registrar: the same checks, without a queue, a record or an order.

Each function makes the calls to MLflow that the starter's registrar.yml asks for; none is left out for speed. Who
approved, it can't know.
"""

import hashlib
import logging
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.artifacts import load_text

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Staged:
    """A version that is in Staging. digest: of its MLmodel, to be compared before it goes to Production."""

    model: str
    version: str
    digest: str


def to_staging(client: MlflowClient, model: str, run_id: str) -> Staged:
    """Register a finished run, and bring it to Staging and @challenger. Raises ValueError where it may not be."""
    run = client.get_run(run_id)
    if run.info.status != "FINISHED":
        raise ValueError(f"run {run_id} is {run.info.status}")
    if "MLmodel" not in {file.path.rpartition("/")[2] for file in client.list_artifacts(run_id, "model")}:
        raise ValueError(f"run {run_id} has no model")
    if client.search_model_versions(f"run_id = '{run_id}'"):
        raise ValueError(f"run {run_id} is registered already")
    source = f"{run.info.artifact_uri}/model"
    tags = {"ci.run": run_id, "ci.commit": run.data.tags.get("git_commit", "")}
    made = client.create_model_version(
        model, source, run_id, tags=tags, description=f"registered from run {run_id} by ci", await_creation_for=0
    )
    if run.data.metrics["rmse"] >= 7:
        raise ValueError(f"rmse is {run.data.metrics['rmse']}")
    digest = _digest(client, model, made.version)
    before = client.get_latest_versions(model, ["Staging"])
    client.transition_model_version_stage(model, made.version, "Staging")
    client.set_registered_model_alias(model, "challenger", made.version)
    _verify(client, model, made.version, "Staging", "challenger")
    for other in before:
        client.transition_model_version_stage(model, other.version, "Archived")
    _LOG.info("%s version %s is in Staging", model, made.version)
    return Staged(model, made.version, digest)


def to_production(client: MlflowClient, staged: Staged) -> None:
    """Bring it to Production and @champion, and archive the version before. Raises ValueError where it may not be."""
    model, version = staged.model, staged.version
    if client.get_model_version(model, version).current_stage != "Staging":
        raise ValueError(f"{model} version {version} is not in Staging")
    if _digest(client, model, version) != staged.digest:
        raise ValueError(f"the files of {model} version {version} are others than at the request")
    before = client.get_latest_versions(model, ["Production"])
    client.transition_model_version_stage(model, version, "Production")
    client.set_registered_model_alias(model, "champion", version)
    client.delete_registered_model_alias(model, "challenger")
    client.update_model_version(model, version, description="in Production, approved by ada")
    _verify(client, model, version, "Production", "champion")
    for other in before:
        client.transition_model_version_stage(model, other.version, "Archived")
    _LOG.info("%s version %s is in Production", model, version)


def _digest(client: MlflowClient, model: str, version: str) -> str:
    found = load_text(f"{client.get_model_version_download_uri(model, version)}/MLmodel")
    return hashlib.sha256(found.encode()).hexdigest()


def _verify(client: MlflowClient, model: str, version: str, stage: str, alias: str) -> None:
    found = client.get_model_version(model, version)
    if found.current_stage != stage or alias not in found.aliases:
        raise ValueError(f"{model} version {version} is not in {stage} with @{alias}")

"""Which run is meant by a commit: on MLflow itself, with the search that the receiver makes of it."""

import uuid

import pytest
from mlflow import MlflowClient

from registrar.events.types import RunSearch, TrainingRunFinished
from registrar.policy import ModelPolicy
from tests.mlflow_server import train
from webhooks.ci.training import ByCommit, search
from worker.promotions.registration import choose_run
from worker.registry.mlflow import MlflowRegistry
from worker.registry.protocol import PermanentError

TAGS = ("git_commit", "mlflow.source.git.commit")


@pytest.mark.parametrize("tag", TAGS)
def test_it_is_the_newest_of_the_experiment_that_finished(mlflow_address, tag):
    client, registry, commit = MlflowClient(mlflow_address), MlflowRegistry(mlflow_address), uuid.uuid4().hex + "0" * 8
    experiment = f"by commit {uuid.uuid4().hex}"

    def trained(status: str, *, where: str = experiment) -> str:
        run_id = train(client, experiment=where)
        client.set_tag(run_id, tag, commit)
        client.update_run(run_id, status=status)
        return run_id

    search_ = RunSearch.model_validate(search(ByCommit(by="commit", experiment=experiment, tag=tag), commit))
    asked = TrainingRunFinished(model="m", search=search_)
    for status in ("RUNNING", "SCHEDULED", "FAILED", "KILLED"):
        trained(status)
    trained("FINISHED", where=f"{experiment} of another team")
    with pytest.raises(PermanentError, match="no run in experiment"):
        choose_run(registry, asked, ModelPolicy())
    expected = trained("FINISHED")
    for status in ("RUNNING", "FAILED"):
        trained(status)
    assert choose_run(registry, asked, ModelPolicy())[0].id == expected

"""RabbitMQ in place of Redis: one URL is another, and all goes on as before."""

from pathlib import Path

import requests
from mlflow import MlflowClient

from tests.mlflow_server import train
from tests.slow.brokers.conftest import accepted, installation


def test_the_main_job_is_done_over_rabbitmq(tmp_path: Path, rabbitmq_url: str, mlflow_address: str):
    client = MlflowClient(mlflow_address)
    with installation(tmp_path / "site", rabbitmq_url, mlflow=mlflow_address) as site:
        assert requests.get(f"{site.stack.addresses.receiver_url}/readyz", timeout=30).json()["status"] == "ready"
        runs = [train(client) for _ in range(4)]
        posted = [accepted(site.post("training_run.finished", model="over-amqp", run_id=run)) for run in runs]
        assert site.states(posted) == {"succeeded"}
    versions = sorted(client.search_model_versions("name = 'over-amqp'"), key=lambda version: int(version.version))
    assert [version.run_id for version in versions] == runs
    assert [version.current_stage for version in versions] == ["Archived"] * 3 + ["Staging"]

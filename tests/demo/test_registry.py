"""What the demo sees in the registry of a real MLflow server."""

import uuid

import pytest
import requests

from registrar.demo.registry import Registry


@pytest.fixture
def registry(mlflow_address: str) -> Registry:
    return Registry(mlflow_address, f"taxi-{uuid.uuid4().hex}")


def change(registry: Registry, path: str, **body: object) -> dict[str, object]:
    url = f"{registry.url}/api/2.0/mlflow/{path}"
    answer = requests.post(url, json={"name": registry.model, **body}, timeout=10)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def test_a_model_that_is_not_registered_has_no_versions(registry: Registry) -> None:
    assert registry.versions() == []


def test_versions_come_with_stage_alias_description_and_tags(registry: Registry) -> None:
    change(registry, "registered-models/create")
    tags = [{"key": "registrar.by", "value": "ci"}]
    for _ in range(2):
        change(registry, "model-versions/create", source="s3://bucket/x", description="made", tags=tags)
    change(registry, "model-versions/transition-stage", version="2", stage="Staging", archive_existing_versions=False)
    change_alias = f"{registry.url}/api/2.0/mlflow/registered-models/alias"
    body = {"name": registry.model, "alias": "challenger", "version": "2"}
    requests.post(change_alias, json=body, timeout=10).raise_for_status()

    first, second = registry.versions()
    assert (first.number, first.stage, first.aliases) == (1, "None", ())
    assert str(second) == "version 2 (Staging, @challenger)"
    assert (second.description, second.tags) == ("made", {"registrar.by": "ci"})
    assert registry.holders("Staging") == [second]


def test_a_run_shows_what_was_logged(registry: Registry) -> None:
    url = f"{registry.url}/api/2.0/mlflow"
    run = requests.post(f"{url}/runs/create", json={"experiment_id": "0"}, timeout=10).json()["run"]["info"]
    metric = {"run_id": run["run_id"], "key": "rmse", "value": 5.0, "timestamp": 0}
    requests.post(f"{url}/runs/log-metric", json=metric, timeout=10).raise_for_status()
    assert registry.logged(run["run_id"]) == ["rmse"]

"""`registrar plan`, where there is no registry to ask, where nothing is governed, and at a real registry."""

import json
import uuid

import pytest
from mlflow import MlflowClient

from tests.mlflow_server import train
from worker.registry.mlflow import MlflowRegistry


@pytest.mark.parametrize("asked", [["first-model", "1", "--to", "production"], ["prune", "first-model"]])
def test_a_registry_that_does_not_answer_is_exit_code_4(run, record, asked):
    result = run("plan", *asked)
    assert (result.exit_code, "registrar: " in result.output) == (4, True)


def test_a_stage_that_nothing_is_promoted_to_is_a_mistake(run, record):
    result = run("plan", "first-model", "1", "--to", "archived")
    assert (result.exit_code, "is not one of" in result.output) == (2, True)


def test_help_says_both(run):
    output = run("plan", "--help").output
    assert "registrar plan MODEL [VERSION] --to production" in output
    assert "registrar plan prune MODEL" in output


@pytest.fixture
def name(mlflow_address, monkeypatch, record) -> str:
    """A model of one version; the command line is pointed at the server that has it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_address)
    name = f"model-{uuid.uuid4().hex[:8]}"
    registered(mlflow_address, name)
    return name


def registered(address: str, model: str) -> None:
    registry = MlflowRegistry(address)
    run = registry.run(train(MlflowClient(address)))
    registry.ensure_model(model)
    registry.create_version(model, registry.source_of(run, "model"), run_id=run.id, description="", tags={})


def test_a_promotion_needs_no_subcommand(run, name):
    short = run("plan", name, "1", "--to", "staging")
    assert (short.exit_code, short.output.splitlines()[0]) == (0, f"{name} version 1 to Staging: ready")
    assert run("plan", "promotion", name, "1", "--to", "staging").output == short.output
    assert json.loads(run("plan", "--json", name, "1", "--to", "staging").output)["state"] == "ready"


def test_a_model_may_be_called_prune(run, name, mlflow_address):
    registered(mlflow_address, "prune")
    result = run("plan", "promotion", "prune", "1", "--to", "staging")
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "prune version 1 to Staging: ready")
    assert run("plan", "prune", "prune").exit_code == 3


def test_a_plan_to_prune_says_of_each_version_why(run, name):
    result = run("plan", "prune", name)
    assert result.exit_code == 3
    assert result.output.startswith(f"Nothing of {name} would be deleted or marked now.\n")
    assert f"registrar.yml has no retention for {name}" in result.output


def test_a_plan_to_prune_is_given_to_programs_too(run, name):
    found = json.loads(run("plan", "prune", name, "--json").output)
    assert (found["model"], found["state"]) == (name, "nothing to do")
    assert [(row["version"], row["step"], row["bytes"]) for row in found["rows"]] == [(1, "stay", None)]

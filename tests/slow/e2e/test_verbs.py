"""What people did by MlflowClient is a command each, on a machine that has only an address and a token.

They registered the best run of an experiment, moved versions to Staging and Production, archived older ones, described
and tagged them, fetched a model, listed experiments, runs and versions, and told others.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registrar.queries.fetched_artifacts import MANIFEST
from tests.e2e.installation import Installation
from tests.mlflow_server import train, train_logged_model


@dataclass(frozen=True)
class Person:
    """Somebody who has the receiver's address and a token."""

    url: str
    token: str
    folder: Path

    def types(self, *line: str, code: int = 0) -> str:
        """Return what a command prints, which ends with that code."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRAR_", "MLFLOW_"))}
        environ |= {"REGISTRAR_URL": self.url, "REGISTRAR_TOKEN": self.token}
        done = subprocess.run(
            [sys.executable, "-m", "registrar", *line],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            cwd=self.folder,
            env=environ,
        )
        assert done.returncode == code, f"registrar {' '.join(line)}\n{done.stdout}{done.stderr}"
        return done.stdout


def arriving(stack: Installation, folder: Path, name: str, *options: str) -> Person:
    folder.mkdir()
    made = stack.registrar("token", "create", f"{name}-{folder.parent.name[:40]}", *options)
    assert made.returncode == 0, made.stderr
    return Person(str(stack.settings.public_url), made.stdout.strip(), folder)


@pytest.fixture
def engineer(stack: Installation, tmp_path: Path) -> Person:
    return arriving(stack, tmp_path / "engineer", "engineer", "--role", "operator")


@pytest.fixture
def ada(stack: Installation, tmp_path: Path) -> Person:
    return arriving(stack, tmp_path / "ada", "ada", "--role", "approver", "--person", "ada")


def stages(client: MlflowClient, model: str) -> dict[int, str]:
    return {int(found.version): found.current_stage for found in client.search_model_versions(f"name = '{model}'")}


def test_each_thing_that_is_done_with_versions_is_a_command(
    stack: Installation, client: MlflowClient, model: str, engineer: Person, ada: Person
) -> None:
    experiment = f"experiment of {model}"
    assert "was created by" in engineer.types("experiments", "create", experiment)
    assert experiment in engineer.types("experiments")
    train(client, experiment=experiment, rmse=6.0)
    best = train_logged_model(client, experiment=experiment, name="models", rmse=5.0)
    by = ("--order-by", "metrics.rmse ASC")
    shown = json.loads(engineer.types("runs", "-e", experiment, "--filter", "metrics.rmse < 7", *by, "--json"))
    assert [row["metrics"] for row in shown] == [{"rmse": 5.0}, {"rmse": 6.0}]

    said = engineer.types("register", model, "-e", experiment, "--best", "metrics.rmse < 7", *by)
    assert f"{model} version 1 was registered from run" in said
    assert f"{model} version 1 is in Staging (@challenger)" in said
    version = client.get_model_version(model, "1")
    assert (version.run_id, version.current_stage) == (best, "Staging")

    planned = engineer.types("promote", model, "1", "--to", "production", "--plan")
    assert planned.startswith(f"{model} version 1 to Production: ready")
    assert "is awaiting approval" in engineer.types("transition", model, "1", "--to", "production")
    assert f"{model} version 1 is in Production (@champion)" in ada.types("approve", model, "1")
    assert stages(client, model) == {1: "Production"}

    engineer.types("describe", model, "1", "--text", "the first that beats the mean")
    engineer.types("tag", model, "1", "team=fares", "reviewed=yes")
    version = client.get_model_version(model, "1")
    assert version.description.startswith("the first that beats the mean")
    assert (version.tags["team"], version.tags["reviewed"]) == ("fares", "yes")

    engineer.types("fetch", model, "1", "--to", "fetched")
    files = {path.name for path in (engineer.folder / "fetched").iterdir()}
    assert files == {"MLmodel", MANIFEST}
    engineer.types("fetch", "--run", train(client, rmse=4.0), "--path", "model/data", "--to", "weights")
    assert (engineer.folder / "weights" / "weights.txt").read_text() == "weights"

    engineer.types("register", model, "--run", train(client, rmse=4.0))
    engineer.types("promote", model, "2", "--to", "production", "--reason", "better")
    ada.types("approve", model, "2")
    for rmse in (9.0, 8.0):
        said = engineer.types("register", model, "--run", train(client, rmse=rmse))
        assert f"was held back from Staging: rmse {rmse:g} is not < 7" in said
    assert stages(client, model) == {1: "Archived", 2: "Production", 3: "None", 4: "None"}
    listed = {row["version"]: row["stage"] for row in json.loads(engineer.types("versions", model, "--json"))}
    assert listed == {1: "Archived", 2: "Production", 3: "None", 4: "None"}

    old = ("archive", model, "--older-than", "1s", "--keep", "1")
    assert engineer.types(*old, "--plan").startswith(f"{model} version 3 would be archived")
    assert f"{model} version 3 archived by" in engineer.types(*old)
    assert stages(client, model) == {1: "Archived", 2: "Production", 3: "Archived", 4: "None"}
    engineer.types("archive", model, "4")

    ada.types("rollback", model, "--reason", "wrong fares at night")
    assert stages(client, model) == {1: "Production", 2: "Archived", 3: "Archived", 4: "Archived"}
    assert "may not" in engineer.types("demote", model, "1", code=1)
    holds = [row["version"] for row in json.loads(engineer.types("history", model, "--target", "production", "--json"))]
    assert holds == [1, 2, 1]

    log = stack.log("worker")
    for told in ("model_version.registered", "promotion.awaiting_approval", "model_version.archived"):
        assert f"{told}: {model} version" in log

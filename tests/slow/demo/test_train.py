"""The demo's training script, against a real MLflow store."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("mlflow")
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": str(folder),
    }
    command = [sys.executable, "-m", "registrar.demo.train", "--experiment", "taxi", "--seed", "3", "--commit", "abc"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return [{**json.loads(line), "folder": folder} for line in done.stdout.splitlines() if line.startswith("{")]


def test_one_run_passes_the_gate_and_one_clearly_does_not(runs: list[dict[str, Any]]) -> None:
    worse, better = runs
    assert better["rmse"] < 6.5
    assert worse["rmse"] > 8


def test_each_run_has_a_model_and_a_vectorizer(runs: list[dict[str, Any]]) -> None:
    folder: Path = runs[0]["folder"]
    assert len(list(folder.rglob("MLmodel"))) == 2
    vectorizers = [path.relative_to(folder) for path in folder.rglob("vectorizer.pkl")]
    assert {path.parts[-4] for path in vectorizers} == {run["run_id"] for run in runs}
    assert {path.parts[-2] for path in vectorizers} == {"extra_artifacts"}


def test_each_run_names_its_commit(runs: list[dict[str, Any]]) -> None:
    assert {run["commit"] for run in runs} == {"abc"}

"""`registrar up` makes MLflow's webhook to itself, and keeps it right: over restarts, other ports, another secret."""

import json
import subprocess
import sys
import time
from pathlib import Path

from mlflow import MlflowClient

from registrar.config.key_generation import new_webhook_secret
from registrar.config.settings import from_folder
from tests.e2e.installation import running
from tests.mlflow_server import free_port

PATIENCE = 60.0


def registrar(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "registrar", "--data", str(data), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def told(data: Path, model: str) -> set[str]:
    """What MLflow's webhook told of a model."""
    found = json.loads(registrar(data, "events", "--json", "--source", "mlflow").stdout)
    return {event["type"] for event in found if event["model"] == model}


def test_its_webhook_tells_what_is_done_in_mlflow_also_after_a_restart(tmp_path: Path):
    data = tmp_path / "data"
    hooks = []
    for model in ("first", "second"):
        with running(data, "--port", str(port := free_port())):
            client = MlflowClient(from_folder(data).mlflow_uri)
            [hook] = client.list_webhooks()
            assert hook.url == f"http://127.0.0.1:{port}/webhooks/mlflow"
            hooks.append(hook.webhook_id)
            doctor = registrar(data, "doctor")
            assert "MLflow's webhook registrar-mlflow posts to" in doctor.stdout, doctor.stdout
            client.create_registered_model(model)
            until = time.monotonic() + PATIENCE
            while "registry.changed" not in told(data, model):
                assert time.monotonic() < until
                time.sleep(0.5)
        (data / "secrets" / "mlflow.whsec").write_text(new_webhook_secret())
    assert hooks[0] == hooks[1]

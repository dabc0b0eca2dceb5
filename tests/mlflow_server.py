"""A real MLflow server on a free port, and what a data scientist does with it."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


# Below the ports that the system gives to connections, which would take one between here and the server's start.
_PORTS = range(12_000, 32_000)


def free_port() -> int:
    """Return a port that nothing listens at. Several test processes ask at once: each draws by its own chance."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port := secrets.choice(_PORTS)))
            return port


@contextmanager
def serve(
    folder: Path,
    *,
    backend: str | None = None,
    workers: int = 1,
    python: str = sys.executable,
    options: Sequence[str] = (),
    url: str = "http://127.0.0.1:{port}",
    **environment: str,
) -> Iterator[str]:
    """The server's address; ended, with its children, at the end of the block. backend: a database; else SQLite.

    workers: its processes; more than one wants another database than SQLite. python: that of an environment with
    another MLflow. options: further ones of `mlflow server`. url: where those have it answer.
    """
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", str(workers), *options]
    command += ["--backend-store-uri", backend or f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", f"{folder}/artifacts"]
    log = folder / "mlflow.log"
    server, address = _start(command, url, log, {**os.environ, **QUIET, **environment})
    try:
        yield address
    finally:
        _end(server)


def _start(
    command: Sequence[str], url: str, log: Path, environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server. A port that was free may be another's by the time that the server wants it: then on another."""
    for _ in range(3):
        port = free_port()
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*command, "--port", str(port)], stdout=output, stderr=output, env=environment, start_new_session=True
            )
        address = url.format(port=port)
        if _answers(f"{address}/health", server):
            return server, address
        _end(server)
    raise RuntimeError(f"MLflow did not start:\n{log.read_text()[-2000:]}")


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; return whether it did before it ended, within two minutes."""
    until = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < until:
        with suppress(requests.RequestException):
            if requests.get(url, timeout=2, verify=False).ok:  # noqa: S501 (the test itself verifies)
                return server.poll() is None
        time.sleep(0.2)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, 15)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, 9)


def train(
    client: MlflowClient,
    *,
    experiment: str = "taxi",
    rmse: float = 5.0,
    artifact: str = "model",
    name: str = "",
    user: str = "unknown",
) -> str:
    """A run in the manner of MLflow 2, its model among its own artifacts; the run's id. user: who trained it."""
    found = client.get_experiment_by_name(experiment)
    experiment_id = found.experiment_id if found else client.create_experiment(experiment)
    tags = {"git_commit": "c0ffee", "mlflow.user": user}
    run = client.create_run(experiment_id, run_name=name or None, tags=tags)
    client.log_metric(run.info.run_id, "rmse", rmse)
    if artifact:
        client.log_text(run.info.run_id, "flavors: {}\n", f"{artifact}/MLmodel")
        client.log_text(run.info.run_id, "weights", f"{artifact}/data/weights.txt")
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def train_logged_model(client: MlflowClient, *, experiment: str = "taxi", name: str = "model", **run: Any) -> str:
    """A run in the manner of MLflow 3, its model beside it as a LoggedModel; the run's id. run: as of train."""
    run_id = train(client, experiment=experiment, artifact="", **run)
    experiment_id = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment_id, name=name, source_run_id=run_id)
    with tempfile.TemporaryDirectory(prefix="logged-") as folder:
        (Path(folder) / "MLmodel").write_text("flavors: {}\n")
        client.log_model_artifacts(model.model_id, folder)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return run_id


def write_over(address: str, client: MlflowClient, model_id: str, path: str, content: str) -> None:
    """A file of a logged model is changed through the server's artifact proxy, past MLflow's own client."""
    location = str(client.get_logged_model(model_id).artifact_location).partition("mlflow-artifacts:/")[2]
    url = f"{address}/api/2.0/mlflow-artifacts/artifacts/{location.lstrip('/')}/{path}"
    requests.put(url, data=content.encode(), timeout=10).raise_for_status()


@contextmanager
def tracking_uri(uri: str) -> Iterator[None]:
    """MLflow's own tracking URI, to the block's end.

    set_tracking_uri also writes MLFLOW_TRACKING_URI, which every process that a later test starts would go by.
    """
    before = mlflow.get_tracking_uri()
    with patch.dict(os.environ):
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)

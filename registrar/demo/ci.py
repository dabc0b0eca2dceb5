"""The demo's CI: trains in a process of its own, then posts what happened, signed, and asks what became of it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any

from registrar.demo.expect import Unexpected, eventually
from registrar.http.event_client import Address, Receipt, asked_at, compose, post, status

EXPERIMENT = "nyc-taxi-experiment"
TRAINING_SECONDS = 180


@dataclass(frozen=True)
class Run:
    """A finished training run. rmse: on trips it was not trained on, in minutes."""

    run_id: str
    name: str
    rmse: float
    commit: str


def train(environment: Mapping[str, str], *, seed: int) -> list[Run]:
    """Both runs of the training script, the worse one first. Raises Unexpected."""
    arguments = ["--experiment", EXPERIMENT, "--seed", str(seed), "--commit", _commit(seed)]
    command = [sys.executable, "-m", "registrar.demo.train", *arguments]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=TRAINING_SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        raise Unexpected(expected=f"a training within {TRAINING_SECONDS} s", seen="none", look_at="mlflow") from None
    except subprocess.CalledProcessError as error:
        raise Unexpected(expected="a training", seen=str(error.stderr)[-2000:], look_at="mlflow") from None
    return [Run(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def _commit(seed: int) -> str:
    """What a commit of the training code would be called."""
    code = files("registrar.demo").joinpath("train.py").read_bytes()
    return sha1(b"%d\n" % seed + code, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Pipeline:
    """The CI pipeline's side of the wire."""

    to: Address

    def finished(self, run: Run, *, model: str) -> Receipt:
        """Tell that a run finished; told again, it is the same delivery. Raises NotTaken, Unreachable."""
        data = {"model": model, "run_id": run.run_id, "commit": run.commit}
        receipt = post(self.to, compose("training_run.finished", data, at=None), id=f"finished-{run.run_id}")
        return asked_at(receipt, self.to.url.partition("/webhooks/")[0])


def result(receipt: Receipt) -> dict[str, Any]:
    """The event with its tasks, once all of them are done; all must have succeeded. Raises Unexpected."""
    done = f"event {receipt.id} done"
    event = eventually(lambda: status(receipt.status_url), lambda e: e["state"] != "unfinished", done)
    if event["state"] != "succeeded":
        wrong = [f"{task['name']}: {task['error']}" for task in event["tasks"] if task["error"]]
        raise Unexpected(expected="all its tasks succeeded", seen=f"{event['state']}: {wrong}", look_at="worker")
    return event

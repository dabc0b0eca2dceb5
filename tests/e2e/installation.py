"""`registrar up`, run as a user runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Timer

import pytest

from registrar.broker.redis_server import NoRedis, redis_server
from registrar.config.settings import Settings
from registrar.local import process_tree
from registrar.local.data_folder import Folder
from tests.notifications.conftest import Listener

START, STOP = 240.0, 120.0  # seconds: MLflow without compiled bytecode needs 90 on a quiet machine
CONFIG = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    may:
      - {events: ["training_run.*", "model_version.*", "promotion.request", "experiment.create", "artifacts.fetch",
                  "registry.reconcile", "deployment.*", evaluation_run.finished],
         models: ["*"]}
  slack:
    kind: slack
    secrets: ["file:slack.secret"]
    may:
      - {events: ["promotion.*", model.rollback, registry.query], models: ["*"]}
people:
  ada: {name: Ada, accounts: {slack: T1/UADA}}
  bob: {name: Bob, accounts: {slack: T1/UBOB}}
  cleo: {name: Cleo, accounts: {slack: T1/UCLEO}}
groups:
  leads: [ada]
  owners: [ada, bob, cleo]
models:
  "life-*":
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - stage: Production
        alias: champion
        previous_alias: previous
        request: on_request
        gates: [{soak: 2s}]
        approval: {rules: [{group: owners, required_approvals: 2}], exclude: [requester]}
        deploy: {to: [serving], environment: prod, confirm_within: 10m, on_failure: rollback}
  "*":
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
      - {stage: Production, alias: champion, approval: {rules: [{group: leads}]}}
channels:
  log: {kind: log}
  team: {kind: slack, url: "file:serving.url"}
  serving: {kind: webhook, url: "file:serving.url", secret: "file:serving.whsec"}
notify:
  - {outcomes: ["*"], to: [log]}
"""


@dataclass(frozen=True)
class Installation:
    """A running `registrar up`. settings.public_url: the receiver's address."""

    data: Path
    settings: Settings
    ci_secret: str
    slack_secret: str
    serving: Listener | None = None  # who deploys: what it got
    serving_secret: str = ""

    def registrar(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in another terminal."""
        command = [sys.executable, "-m", "registrar", "--data", str(self.data), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def log(self, part: str) -> str:
        return (self.data / "logs" / f"{part}.log").read_text(encoding="utf-8", errors="replace")


def require_all_parts() -> None:
    """Skips where something is not installed; in CI that fails."""
    missing = [name for name in ("flask", "granian", "mlflow") if find_spec(name) is None]
    try:
        redis_server()
    except NoRedis as error:
        missing.append(str(error))
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing in CI: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


@contextmanager
def running(data: Path, *options: str, **environ: str) -> Iterator[None]:
    """`registrar up` until the end of the block. Nothing of it is left then; that is asserted too.

    environ: what it finds in its environment beside our own.
    """
    require_all_parts()
    command = [sys.executable, "-m", "registrar", "--data", str(data), "up", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environ}
    )
    try:
        said = _until_up(process)
        yield
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=STOP)
        assert process.returncode == 0, said + rest
        assert [left.cmdline() for left in process_tree.marked(Folder(data).mark)] == []
    finally:
        process.kill()
        process.wait()
        process_tree.clear(process_tree.marked(Folder(data).mark))


def _until_up(process: subprocess.Popen[str]) -> str:
    """What it said until all was ready; fails the test where it ends or takes too long."""
    assert process.stdout is not None
    said = ""
    too_long = Timer(START, process.kill)
    too_long.start()
    try:
        for line in process.stdout:
            said += line
            if line.startswith("Registrar is up."):
                return said
    finally:
        too_long.cancel()
    pytest.fail(f"`registrar up` did not come up within {START:g} s:\n{said}")

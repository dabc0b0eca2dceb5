"""An installation without Celery and granian around it: the receiver over HTTP, a worker at its desk, the commands."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from registrar.cli import main
from registrar.config.key_generation import new_key, new_webhook_secret
from registrar.config.settings import from_folder
from registrar.ledger import Ledger
from tests.worker.harness import WorkerHarness
from webhooks.app import create_app
from webhooks.ingress.rejection_log import RejectionLog

POLICY = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["file:whsec"]
    may: [{events: ["training_run.*", "artifacts.fetch"], models: ["*"]}]
  operator:
    kind: standard
    secrets: ["file:whsec"]
    may: [{events: ["*"], models: ["*"]}]
  night:
    kind: standard
    secrets: ["file:whsec"]
    may: [{events: ["task.*", event.replay], models: [bus, taxi]}]
models:
  taxi:
    targets:
      - {stage: Staging, alias: challenger, gates: [{metric: rmse, op: "<", threshold: 7}], approval: automatic}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


@dataclass(frozen=True)
class House:
    """harness: does what is due when it is told to; within `working`, at once. rejections: what is written beside the
    requests.
    """

    url: str
    data: Path
    harness: WorkerHarness
    rejections: RejectionLog

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--data", str(self.data), *arguments])

    def done(self, *arguments: str) -> Result:
        """A command that waits for what it asked for."""
        with self.working():
            return self.run(*arguments, "--wait")

    def get(self, path: str) -> Any:
        answer = requests.get(self.url + path, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @contextmanager
    def working(self) -> Iterator[None]:
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(0.05):
                self.harness.work()

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            stop.set()
            worker.join(60)


def token_of_ada(house: House) -> str:
    file = house.data / "token of ada"
    if not file.exists():
        made = house.run("token", "create", "ada-laptop", "--role", "operator", "--person", "ada")
        file.write_text(made.stdout)
    return file.read_text().strip()


def elsewhere(house: House, *arguments: str, **changed: str | None) -> Result:
    """From a machine that has nothing but the address and a token, Ada's."""
    given = {
        "REGISTRAR_TOKEN": changed["token"] if changed else token_of_ada(house),
        "REGISTRAR_URL": house.url,
        "REGISTRAR_DATA": str(house.data / "nothing here"),
    }
    return CliRunner().invoke(main, arguments, env=given)


@contextmanager
def living(
    folder: Path,
    ledger: Ledger,
    ledger_url: str,
    registry: Any = None,
    *,
    policy: str = POLICY,
    operator: str | None = "source:operator",
    public: str = "http://localhost:1",
) -> Iterator[House]:
    """registry: none is a fake one. Its public name leads nowhere: whatever is asked here goes to its local address."""
    (folder / "registrar.yml").write_text(policy)
    (folder / "whsec").write_text(new_webhook_secret())
    environment = {
        "REGISTRAR_CONFIG": folder / "registrar.yml",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "REGISTRAR_LEDGER_URL": ledger_url,
        "REGISTRAR_BROKER_URL": "redis://127.0.0.1:1/0",  # refuses connections: nothing is rung
        "REGISTRAR_SECRET_KEY": new_key(),
        "REGISTRAR_PUBLIC_URL": public,
    }
    if operator:
        environment["REGISTRAR_LOCAL_OPERATOR"] = operator
    (folder / "environment").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    app = create_app(from_folder(folder))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    with (folder / "environment").open("a") as file:
        file.write(f"REGISTRAR_LOCAL_URL={url}\n")
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    try:
        harness = WorkerHarness(ledger, folder, registry, policy)
        yield House(url, folder, harness, app.extensions["receiver"].rejections)
    finally:
        server.shutdown()
        server.server_close()

"""One run: real processes, senders that never give up, faults at random moments, and the audit at the end.

    python -m tests.chaos.run --seconds 600 --seed 1 --ledger postgresql

It is repeatable as far as processes are: the same seed strikes the same faults in the same order.
"""

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient

from registrar.embedded import Stack
from registrar.keys import new_webhook_secret
from registrar.ledger import Ledger
from registrar.ledger.tasks import unfinished
from tests.chaos.audit import Findings, audit
from tests.chaos.faults import Faults
from tests.chaos.fleet import Fleet
from tests.chaos.proxy import proxy
from tests.mlflow_server import serve as serve_mlflow
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres

MODELS = ["taxi", "bus", "train", "ferry"]
PATIENCE = 240.0  # seconds for everything to be applied, once nothing is broken any more
CONFIG = """
version: 1
sources:
  ci:
    kind: standard
    secrets: ["file:ci.whsec"]
    may: [{events: ["training_run.*"], models: ["*"]}]
models:
  "*":
    targets:
      - {stage: Staging, alias: challenger, approval: automatic, gates: [{metric: rmse, op: "<", threshold: 7}]}
      - {stage: Production, alias: champion, approval: automatic, gates: [{metric: rmse, op: "<", threshold: 5.5}]}
channels:
  log: {kind: log}
notify:
  - {outcomes: ["*"], to: [log]}
"""


def run(*, seconds: float, seed: int, ledger: str, folder: Path) -> tuple[Findings, str]:
    """The findings, and the table that is printed. ledger: "sqlite" or "postgresql"."""
    with ExitStack() as stack:
        mlflow_url = stack.enter_context(serve_mlflow(_folder(folder / "mlflow")))
        between = stack.enter_context(proxy(urlsplit(mlflow_url).port or 0, seed=seed))
        url = stack.enter_context(database(stack.enter_context(serve_postgres()))) if ledger == "postgresql" else None
        secret = new_webhook_secret()
        (folder / "registrar.yml").write_text(CONFIG)
        (folder / "ci.whsec").write_text(secret)
        parts = Stack(folder / "data", folder / "registrar.yml", None, _quiet, mlflow=between.url, ledger=url)
        stack.enter_context(parts)
        parts.watch_in_background()
        fleet = Fleet(f"{parts.addresses.receiver_url}/webhooks/ci", secret, mlflow_url, MODELS, seed)
        faults = Faults(parts, between, seed=seed)
        _break_things(fleet, faults, seconds=seconds, seed=seed)
        opened = Ledger(parts.addresses.ledger_url)
        stack.callback(opened.close)
        recovery = _wait_until_done(opened)
        findings = audit(fleet.acknowledged, opened, MlflowClient(mlflow_url))
        return findings, _table(findings, fleet, faults, seed=seed, ledger=ledger, recovery=recovery)


def _break_things(fleet: Fleet, faults: Faults, *, seconds: float, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (a seed makes it repeatable)
    until = time.monotonic() + seconds
    fleet.start()
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, chance.uniform(0.5, 4)))
        faults.strike(patience=until - time.monotonic())
    fleet.stop()


def _wait_until_done(ledger: Ledger) -> float:
    """Seconds from the last fault until nothing was left to do."""
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE:
        with ledger.read() as connection:
            if unfinished(connection) == 0:
                break
        time.sleep(0.5)
    return time.monotonic() - began


def _table(findings: Findings, fleet: Fleet, faults: Faults, *, seed: int, ledger: str, recovery: float) -> str:
    rows = {
        "ledger, seed": f"{ledger}, {seed}",
        "requests posted": fleet.posts,
        "events acknowledged": len(fleet.acknowledged),
        "of these refused with 503": fleet.refused,
        **{f"fault: {kind}": count for kind, count in sorted(faults.struck.items())},
        "lost": findings.lost,
        "doubled": findings.doubled,
        "otherwise wrong": len(findings.wrong),
        "longest from acceptance to the end": f"{findings.longest:.1f} s",
        "all applied after the last fault": f"{recovery:.1f} s",
    }
    width = max(map(len, rows))
    return "\n".join([f"{name:<{width}}  {value}" for name, value in rows.items()] + findings.wrong)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _quiet(line: str) -> None:
    pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        findings, table = run(seconds=given.seconds, seed=given.seed, ledger=given.ledger, folder=Path(folder))
    sys.stdout.write(table + "\n")
    return 1 if findings.lost or findings.doubled or findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

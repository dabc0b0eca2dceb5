"""One run: real processes, senders that never give up, faults at random moments, and the audit at the end.

    python -m tests.slow.chaos.run --seconds 600 --seed 1 --ledger postgresql [--without sweep]

It is repeatable as far as processes are: the same seed strikes the same faults in the same order.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from mlflow import MlflowClient

from registrar.config.key_generation import new_webhook_secret
from registrar.ledger import Ledger
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres
from tests.slow.chaos.audit import Findings, audit
from tests.slow.chaos.faults import Faults
from tests.slow.chaos.fleet import Fleet
from tests.slow.chaos.listener import Listener, listener
from tests.slow.chaos.parts import House
from tests.slow.chaos.told import Told, told
from tests.slow.chaos.watcher import Watcher, watcher
from tests.slow.chaos.without import WITHOUT

MODELS = ["taxi", "bus", "train", "ferry"]
PATIENCE = 300.0  # seconds without anything being done, while something is open and nothing is broken any more
SHORT = 90  # seconds of a run in the tests
SHOWN = 20  # lines about what is wrong
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
  deploy: {kind: webhook, url: "file:deploy.url", secret: "file:deploy.whsec"}
notify:
  - {outcomes: ["*"], to: [deploy]}
"""


def run(*, seconds: float, seed: int, ledger: str, folder: Path, without: str | None = None) -> tuple[Findings, str]:
    """The findings, and the table that is printed. ledger: "sqlite" or "postgresql". without: of without.py."""
    with ExitStack() as stack:
        cluster = stack.enter_context(serve_postgres(durable=True)) if ledger == "postgresql" else None
        url = stack.enter_context(database(cluster)) if cluster else None
        ear = stack.enter_context(listener(new_webhook_secret(), seed=seed))
        secret = _configure(folder, ear)
        data = folder / "data"
        data.mkdir()
        house = House(data, seed, without)
        parts = stack.enter_context(house.stack(config=folder / "registrar.yml", ledger=url))
        mlflow_url = parts.addresses.mlflow_url
        fleet = Fleet(f"{parts.addresses.receiver_url}/webhooks/ci", secret, mlflow_url, MODELS, seed)
        faults = Faults(parts, house, seed=seed)
        opened = Ledger(parts.addresses.ledger_url)
        stack.callback(opened.close)
        watching = stack.enter_context(watcher(opened, fleet))
        _break_things(fleet, faults, seconds=seconds, seed=seed)
        recovery = _wait_until_done(watching)
        client = MlflowClient(mlflow_url)
        findings, heard = audit(fleet.acknowledged, opened, client), told(ear.heard, opened, client)
        findings.wrong.extend(heard.wrong)
        rows = {
            "ledger, seed, seconds": f"{ledger}, {seed}, {seconds:.0f}",
            **_sent(fleet),
            **{f"fault: {kind}": count for kind, count in sorted(faults.struck.items())},
            "faults": faults.struck.total(),
            **_told(ear, heard),
            **_found(findings, len(fleet.acknowledged)),
            "longest from acknowledgement to the end": f"{watching.longest:.1f} s",
            "all applied after the last fault": f"{recovery:.1f} s",
        }
        return findings, _table(rows, findings.wrong)


def _configure(folder: Path, ear: Listener) -> str:
    """registrar.yml and its secrets; the sender's is returned."""
    secret = new_webhook_secret()
    written = {"registrar.yml": CONFIG, "ci.whsec": secret, "deploy.url": ear.url, "deploy.whsec": ear.secret}
    for name, text in written.items():
        (folder / name).write_text(text)
    return secret


def _break_things(fleet: Fleet, faults: Faults, *, seconds: float, seed: int) -> None:
    """The last fault may end a little after the time."""
    chance = random.Random(seed)  # noqa: S311 (a seed makes it repeatable)
    until = time.monotonic() + seconds
    fleet.start()
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, chance.uniform(0.5, 4)))
        faults.strike()
    fleet.stop()


def _wait_until_done(watching: Watcher) -> float:
    """Seconds from the last fault until nothing was left to do, or nothing was done any more."""
    began = moved = time.monotonic()
    done = 0
    while watching.look() and time.monotonic() < moved + PATIENCE:
        if watching.tasks_done() != done:
            done, moved = watching.tasks_done(), time.monotonic()
        time.sleep(1)
    return time.monotonic() - began


def _sent(fleet: Fleet) -> dict[str, int]:
    return {
        "requests posted": fleet.posts,
        "events acknowledged": len(fleet.acknowledged),
        "refused with 503 or 429, and posted again": fleet.refused,
        "refused by a clock that was off, and posted again": fleet.late,
        "posted once more after the acknowledgement": fleet.again,
    }


def _told(ear: Listener, heard: Told) -> dict[str, int]:
    return {
        "messages heard": heard.messages,
        "of these answered with a failure": ear.failed,
        "of these heard before, under the same id": heard.again,
    }


def _found(findings: Findings, acknowledged: int) -> dict[str, int]:
    return {
        "applied": acknowledged - findings.lost,
        "lost": findings.lost,
        "doubled": findings.doubled,
        "otherwise wrong": len(findings.wrong),
    }


def _table(rows: dict[str, object], wrong: list[str]) -> str:
    width = max(map(len, rows))
    return "\n".join([f"{name:<{width}}  {value}" for name, value in rows.items()] + wrong[:SHOWN])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--without", choices=sorted(WITHOUT), help="a worker that lacks this: the run must fail")
    parser.add_argument("--keep", type=Path, help="a folder for logs and ledger, where the run failed")
    given = parser.parse_args()
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        findings, table = run(
            seconds=given.seconds,
            seed=given.seed,
            ledger=given.ledger,
            folder=Path(folder),
            without=given.without,
        )
        failed = bool(findings.lost or findings.doubled or findings.wrong)
        if failed and given.keep:
            shutil.copytree(folder, given.keep, dirs_exist_ok=True)
    sys.stdout.write(table + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

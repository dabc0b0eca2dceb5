"""The moves of attackers and of those whom they attack, in a model `taxi`: leads Ada and Bob approve Production."""

from typing import Any

from sqlalchemy import func, select

from registrar.ledger.queries import event_status
from registrar.ledger.queries.holdings import Holding, history
from registrar.ledger.tables import journal
from tests.worker.harness import ADA, WorkerHarness


def train(harness: WorkerHarness, run: str = "r1", *, rmse: float = 5.0, **data: Any) -> int:
    """Returns the version."""
    number = max(harness.stages(), default=0) + 1 if "taxi" in harness.registry._models else 1
    harness.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
    harness.registry.trained(run, rmse=rmse)
    harness.post("training_run.finished", model="taxi", run_id=run, **data)
    return number


def live(harness: WorkerHarness, *runs: str) -> None:
    """Each in Production after the other, approved by Ada."""
    for run in runs:
        approve(harness, train(harness, run))


def approve(harness: WorkerHarness, version: int = 1, *, by: Any = ADA, **data: Any) -> str:
    return harness.post("promotion.approve", by=by, model="taxi", version=version, **data)


def error(harness: WorkerHarness, event: str) -> str:
    """Why the first task of an event failed."""
    with harness.ledger.read() as connection:
        return str((event_status.event(connection, event) or {})["tasks"][0]["error"])


def entries(harness: WorkerHarness) -> int:
    with harness.ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(journal)).scalar_one()


def holdings(harness: WorkerHarness) -> list[Holding]:
    with harness.ledger.read() as connection:
        return history(connection, "taxi")

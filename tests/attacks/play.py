"""The moves of attackers and of those whom they attack, in a model `taxi`: leads Ada and Bob approve Production."""

from typing import Any

from sqlalchemy import func, select

from registrar.ledger.holders import history
from registrar.ledger.queries import event_status
from registrar.ledger.queries.holdings import Holding
from registrar.ledger.tables import journal
from tests.worker.harness import ADA, Office


def train(office: Office, run: str = "r1", *, rmse: float = 5.0, **data: Any) -> int:
    """Returns the version."""
    number = max(office.stages(), default=0) + 1 if "taxi" in office.registry._models else 1
    office.registry.files[f"models/taxi/{number}"] = {"MLmodel": b""}
    office.registry.trained(run, rmse=rmse)
    office.post("training_run.finished", model="taxi", run_id=run, **data)
    return number


def live(office: Office, *runs: str) -> None:
    """Each in Production after the other, approved by Ada."""
    for run in runs:
        approve(office, train(office, run))


def approve(office: Office, version: int = 1, *, by: Any = ADA, **data: Any) -> str:
    return office.post("promotion.approve", by=by, model="taxi", version=version, **data)


def error(office: Office, event: str) -> str:
    """Why the first task of an event failed."""
    with office.ledger.read() as connection:
        return str((event_status.event(connection, event) or {})["tasks"][0]["error"])


def entries(office: Office) -> int:
    with office.ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(journal)).scalar_one()


def told(office: Office) -> list[Holding]:
    with office.ledger.read() as connection:
        return history(connection, "taxi")

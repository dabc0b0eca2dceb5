"""Runs the command line in this process, on a data folder with a ledger."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from registrar.cli import main
from registrar.events.event import Actor, Event
from registrar.events.outcome import Outcome
from registrar.events.types import parse
from registrar.ledger import Ledger, tasks
from registrar.ledger.deliveries import accept
from registrar.ledger.event_rows import Delivery
from registrar.ledger.holders import HoldingStarted
from registrar.ledger.migrate import migrate
from registrar.local.data_folder import Folder, ensure_config
from registrar.local.installation import Installation
from tests.ledger.counted import count_journal

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENING = NOON.replace(hour=18)
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch, tmp_path) -> None:
    settings = ("REGISTRAR_CONFIG", "REGISTRAR_LEDGER_URL", "REGISTRAR_DATA", "MLFLOW_TRACKING_URI")
    for name in (*settings, "REGISTRAR_URL", "REGISTRAR_TOKEN", "REGISTRAR_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """As `registrar up` leaves it."""
    folder = Folder(tmp_path / "data")
    folder.prepare()
    ports = {"redis": 1, "mlflow": 2, "receiver": 3}
    config = ensure_config(folder, lambda line: None)
    site = Installation(folder=folder, config=config, ports=ports, secret_key=Fernet.generate_key().decode())
    folder.write_environment(site.environment)
    return folder.path


@pytest.fixture
def record(data: Path) -> Iterator[Ledger]:
    opened = Ledger(Folder(data).ledger_url)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def run(data: Path) -> Run:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--data", str(data), *arguments])

    return run


def approve(record: Ledger, version: int, at: datetime, *, who: str = "Ada", model: str = "taxi") -> str:
    """Somebody's approval put a version in Production. Returns the event's id."""
    event = Event(parse("promotion.approve", {"model": model, "version": version}), Actor(who.lower(), who), at)
    with record.write() as connection:
        receipt = accept(connection, Delivery("slack", f"{model}-{version}", "a" * 64), [event], at=at)
        task = tasks.claim(connection, receipt.task_messages[0].task_id, at=at)
        assert task
        held = (
            HoldingStarted(model, "stage", "Production", version, alone=True),
            HoldingStarted(model, "alias", "champion", version, True),
        )
        tasks.finish(connection, task, "succeeded", Outcome(f"version {version} is in Production", records=held), at=at)
    count_journal(record)
    return receipt.events[0][0]

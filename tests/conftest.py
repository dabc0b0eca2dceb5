"""What all tests share: a ledger on a real file, a real MLflow server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.mlflow_server import serve
from worker.registry import configure_client


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    configure_client()
    with serve(tmp_path_factory.mktemp("mlflow")) as address:
        yield address

"""What all tests share: ledgers on a real file and in PostgreSQL, a real Redis, a real MLflow server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.broker import Broker
from tests.broker import serve as serve_redis
from tests.mlflow_server import serve
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres
from worker.registry import configure_client


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A cluster; tests take databases of it."""
    with serve_postgres() as cluster:
        yield cluster


@pytest.fixture
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """SQLite; a test marked `both_ledgers` runs on PostgreSQL too."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    with database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = Ledger(ledger_url)
    migrate(opened)
    yield opened
    opened.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """@pytest.mark.both_ledgers: the same claim on SQLite and on PostgreSQL."""
    if metafunc.definition.get_closest_marker("both_ledgers") and "ledger_url" in metafunc.fixturenames:
        metafunc.parametrize("ledger_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    configure_client()
    with serve(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with serve_redis(tmp_path_factory.mktemp("r")) as started:
        yield started

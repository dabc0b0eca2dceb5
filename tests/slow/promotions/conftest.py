"""MLflow servers on the databases that it may run on, and a ledger to go with each."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mlflow_server import serve
from tests.postgres_server import database

PAIRS = ["sqlite", "psycopg2", "psycopg"]


@dataclass(frozen=True)
class Pair:
    """mlflow: a server's address. ledger_url: a database of the same kind, not migrated yet."""

    mlflow: str
    ledger_url: str


def driven_by(url: str, driver: str) -> str:
    """The same PostgreSQL database through a driver of one's choice."""
    return url.replace("postgresql+psycopg:", f"postgresql+{driver}:")


@pytest.fixture(scope="package")
def mlflow_on_postgres(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The address of a server by its driver."""
    with ExitStack() as stack:
        yield {
            driver: stack.enter_context(
                serve(
                    tmp_path_factory.mktemp(f"mlflow-{driver}"),
                    backend=driven_by(stack.enter_context(database(postgres)), driver),
                )
            )
            for driver in ("psycopg2", "psycopg")
        }


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """MLflow and the ledger, both on SQLite, or on PostgreSQL with each of MLflow's drivers."""
    if request.param == "sqlite":
        yield Pair(request.getfixturevalue("mlflow_address"), f"sqlite:///{tmp_path}/ledger.db")
        return
    with database(request.getfixturevalue("postgres")) as url:
        yield Pair(request.getfixturevalue("mlflow_on_postgres")[request.param], url)

"""What all tests share: ledgers on a real file and in PostgreSQL, a real Redis, a real MLflow server."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import make_url

from registrar.ledger import Ledger
from registrar.ledger.migrate import migrate
from tests.broker import Broker
from tests.broker import serve as serve_redis
from tests.mlflow_server import serve
from tests.postgres_server import database
from tests.postgres_server import serve as serve_postgres
from webhooks.api import responses
from worker.registry.mlflow import configure_client

# Bytes that the folders of a whole run may take.
_ROOM = 4 * 2**30
# Names of variables that pytest and MLflow set for themselves.
_OF_LIBRARIES = ("PYTEST_", "_MLFLOW_")


def _keep_folders_in_memory() -> None:
    """No test cuts the power, so none can tell; a database is made in a tenth of the time. TMPDIR: elsewhere."""
    memory = Path("/dev/shm")  # noqa: S108 (pytest makes a folder of its own in it)
    if "TMPDIR" not in os.environ and memory.is_dir() and shutil.disk_usage(memory).free > _ROOM:
        os.environ["TMPDIR"], tempfile.tempdir = str(memory), str(memory)


_keep_folders_in_memory()
configure_client()  # as in every process of ours that uses MLflow


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        terminalreporter.write_line("tests/slow was left out; `make test-all` runs it too (docs/how-to/testing.md).")


@pytest.fixture(autouse=True)
def _answers_keep_their_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of /v1 that breaks its schema fails the test that asked; an installation logs it."""

    def fail(schema: type[BaseModel], error: ValidationError) -> None:
        raise AssertionError(f"an answer of /v1 is no {schema.__name__}") from error

    monkeypatch.setattr(responses, "report_mismatch", fail)


@pytest.fixture(autouse=True, scope="module")
def _environment_is_left_as_it_was() -> Iterator[None]:
    """What a file's tests leave in it, every process started by a later file would get: that fails here, not there."""
    before = dict(os.environ)
    yield
    names = before.keys() | os.environ.keys()
    left = {name for name in names if before.get(name) != os.environ.get(name) and not name.startswith(_OF_LIBRARIES)}
    for name in left:
        os.environ.pop(name, None)
    os.environ.update({name: before[name] for name in left & before.keys()})
    assert left == set(), "changed for all later tests: use monkeypatch, or patch.dict(os.environ)"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A cluster; tests take databases of it."""
    with serve_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger in SQLite: each test takes a copy, which is a tenth of the time of migrating."""
    file = tmp_path_factory.mktemp("blank") / "ledger.db"
    _migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def blank_postgres(postgres: str) -> Iterator[str]:
    """The same in PostgreSQL: a database's name."""
    with blank_database(postgres) as name:
        yield name


@contextmanager
def blank_database(cluster: str) -> Iterator[str]:
    with database(cluster) as url:
        _migrated(url)
        yield str(make_url(url).database)


def _migrated(url: str) -> None:
    with closing(Ledger(url)) as opened:
        migrate(opened)


@pytest.fixture
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """SQLite; a test marked `both_ledgers` runs on PostgreSQL too. Without a schema, where a test has no `ledger`."""
    prepared = "ledger" in request.fixturenames
    if getattr(request, "param", "sqlite") == "sqlite":
        if prepared:
            shutil.copy(request.getfixturevalue("blank"), tmp_path / "ledger.db")
        yield f"sqlite:///{tmp_path}/ledger.db"
        return
    like = {"like": request.getfixturevalue("blank_postgres")} if prepared else {}
    with database(request.getfixturevalue("postgres"), **like) as url:
        yield url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with closing(Ledger(ledger_url)) as opened:
        yield opened


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """@pytest.mark.both_ledgers: the same claim on SQLite and on PostgreSQL."""
    if metafunc.definition.get_closest_marker("both_ledgers") and "ledger_url" in metafunc.fixturenames:
        metafunc.parametrize("ledger_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for a whole run; or MLFLOW_OF_TESTS, which runs already: `make mutants` runs the tests hundreds of times."""
    if running := os.environ.get("MLFLOW_OF_TESTS"):
        yield running
        return
    with serve(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def within_one_minute() -> None:
    """Windows of `limits` begin with the minute, and one that begins halfway would let one request more pass."""
    if (left := 60 - time.time() % 60) < 5:
        time.sleep(left + 0.1)


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with serve_redis(tmp_path_factory.mktemp("r")) as started:
        yield started

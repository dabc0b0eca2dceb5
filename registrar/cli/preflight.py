"""Checks of `registrar up` before it starts anything: packages, addresses, registrar.yml and the ledger."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from registrar.broker.url import Broker
from registrar.cli.config import policy_errors
from registrar.cli.errors import not_installed
from registrar.config.credentials import complaint, without_login
from registrar.config.settings import SettingsError, process_environment
from registrar.ledger import Ledger
from registrar.ledger.database import sqlite_file
from registrar.ledger.engine import LedgerUnavailable
from registrar.ledger.schema import refuse_foreign, refuse_newer
from registrar.policy import Policy, PolicyError, installation_check, load
from registrar.policy.load import with_lines

_SHOWN = ("REGISTRAR_PUBLIC_URL", "REGISTRAR_MLFLOW_URL")
_PARTS = ("flask", "granian", "mlflow", "psutil")  # of receiver, worker and supervisor


def packages(*, own_mlflow: bool, ledger: str | None) -> None:
    """Check what `registrar up` imports. own_mlflow: it starts an MLflow server. Raises NotInstalled."""
    lacking = [name for name in _PARTS if find_spec(name) is None]
    if own_mlflow and not lacking and not _is_whole_mlflow():
        lacking.append("mlflow")  # mlflow-skinny has no server
    if ledger and ledger.startswith("postgresql") and find_spec("psycopg") is None:
        extras = ["embedded", "postgres"] if lacking else ["postgres"]
        raise not_installed("up", [*lacking, "psycopg"], extra=",".join(extras))
    if lacking:
        raise not_installed("up", lacking, extra="embedded")


def _is_whole_mlflow() -> bool:
    try:
        distribution("mlflow")
    except PackageNotFoundError:
        return False
    return True


def addresses(*, mlflow: str | None, ledger: str | None, broker: str | None) -> None:
    """Check the addresses of the command line and of the environment. Raises SettingsError, BrokerUrlError."""
    given = {"--mlflow": mlflow, "--ledger": ledger, "--broker": broker}
    for option, url in given.items():
        if url is not None and not url.strip():
            raise SettingsError(f"{option} is empty: is the variable that it takes its value from set?")
        if url and (why := complaint(url)):
            raise SettingsError(f"{option}: {why}")
    if mlflow and "://" not in mlflow and not mlflow.startswith("databricks"):
        raise SettingsError(
            f"--mlflow {mlflow} has no scheme, so MLflow would take it for a folder: try http://{mlflow}"
        )
    if broker:
        Broker.parse(broker)
    for name in _SHOWN:
        if (url := process_environment().get(name)) and not re.match(r"https?://[^/\s]", url):
            raise SettingsError(f"{name}={without_login(url)} is no address such as https://registrar.example.com")


def policy(config: Path) -> Iterator[str]:
    """Yield warnings about registrar.yml. Raises PolicyError where the services would not start with it."""
    found: Policy = load(config)
    environ = process_environment()
    if wrong := policy_errors(found, environ=environ, path=config):
        raise PolicyError("\n".join(with_lines(config, wrong)))
    yield from installation_check.located_warnings(found, environ=environ, path=config)


def ledger(url: str) -> None:
    """Check an existing database. Raises LedgerUnavailable, LedgerUrlError, SchemaMismatch."""
    if (file := sqlite_file(url)) and not file.exists():
        return
    opened = Ledger(url)
    try:
        with opened.read() as connection:
            refuse_foreign(connection)
            refuse_newer(connection)
    except LedgerUnavailable as error:
        raise LedgerUnavailable(f"the ledger {without_login(url)} {error.reason}: {error}", error.reason) from None
    finally:
        opened.close()

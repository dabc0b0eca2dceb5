"""Compares all of MLflow with the record, for `registrar audit verify`: holders, and versions deleted or created again.

A difference need not be damage: somebody may have changed a stage or an alias in MLflow by hand.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from registrar.doctor.registry_snapshot import ModelSnapshot, created_at, snapshot_all_versions
from registrar.http.mlflow_server import MlflowServer
from registrar.ledger import Connection
from registrar.ledger.holders import ARCHIVED
from registrar.ledger.queries.models import HoldingRow, holdings_by_model
from registrar.ledger.version_state import recorded_creation

CLOCK_SKEW = timedelta(minutes=5)  # MLflow's clock may be so far ahead of the ledger's


def describe_differences(connection: Connection, server: MlflowServer) -> Iterator[str]:
    """Yield a sentence for each difference, model by model. Raises Silence where MLflow does not answer."""
    for model, rows in holdings_by_model(connection):
        yield from _compare_model(connection, server, model, rows)


def _compare_model(
    connection: Connection, server: MlflowServer, model: str, rows: Sequence[HoldingRow]
) -> Iterator[str]:
    held = [row for row in rows if row.until is None]
    snapshot = snapshot_all_versions(server, model, {row.version for row in held})
    yield from _describe_missing(model, held, snapshot)
    yield from _describe_created_again(connection, model, held, snapshot)
    for kind, key in sorted({(row.kind, row.key) for row in rows}):
        by_record = {
            row.version for row in held if (row.kind, row.key) == (kind, key) and row.version in snapshot.versions
        }
        by_mlflow = snapshot.holders(kind, key)
        # A version that was archived outside of Registrar holds nothing.
        if by_record - by_mlflow or ((kind, key) != ("stage", ARCHIVED) and by_mlflow - by_record):
            name = f"@{key}" if kind == "alias" else key
            yield f"{model}: {name} is {_versions(by_record)} by the record; MLflow shows {_versions(by_mlflow)}"


def _describe_missing(model: str, held: Sequence[HoldingRow], snapshot: ModelSnapshot) -> Iterator[str]:
    for version in sorted({row.version for row in held} - snapshot.versions.keys()):
        holdings = ", ".join(
            f"@{row.key}" if row.kind == "alias" else row.key for row in held if row.version == version
        )
        yield f"{model} version {version} has {holdings} by the record; MLflow has no such version"


def _describe_created_again(
    connection: Connection, model: str, held: Sequence[HoldingRow], snapshot: ModelSnapshot
) -> Iterator[str]:
    """Compare creation times: a model that was deleted and created again numbers its versions from 1 again."""
    for version in sorted({row.version for row in held} & snapshot.versions.keys()):
        created = created_at(snapshot.versions[version])
        since = min(row.since for row in held if row.version == version)
        recorded = recorded_creation(connection, model, version)
        if created > since + CLOCK_SKEW or (recorded is not None and recorded != created):
            yield (
                f"{model} version {version} was made anew in MLflow at {created:%Y-%m-%d %H:%M:%S} UTC: the "
                f"record, which begins at {since:%Y-%m-%d %H:%M:%S} UTC, is about another version"
            )


def _versions(numbers: set[int]) -> str:
    return "nothing" if not numbers else "version " + " and ".join(map(str, sorted(numbers)))

"""Models and runs in numbers: the first is made by MLflow's API, the others are written into its database like it.

By the API a thousand of them would take minutes. tests/bench/test_prepared.py reads them back through the API.
"""

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from tests.mlflow_server import serve, train

_OF_A_RUN = ("tags", "metrics", "latest_metrics")


@dataclass(frozen=True)
class Prepared:
    """A running MLflow server. folder: where its database and its artifacts are."""

    address: str
    folder: Path
    client: MlflowClient

    def models(self, prefix: str, count: int) -> list[str]:
        """Names of new registered models, each with a version 1."""
        names = [f"{prefix}-{number}" for number in range(count)]
        self.client.create_registered_model(names[0])
        run = train(self.client)
        source = f"{self.client.get_run(run).info.artifact_uri}/model"
        self.client.create_model_version(names[0], source, run, await_creation_for=0)
        with self._database() as database:
            for table in ("registered_models", "model_versions"):
                [first] = _rows(database, table, "name", names[0])
                _write(database, table, ({**first, "name": name} for name in names[1:]))
        return names

    def runs(self, count: int) -> list[str]:
        """Ids of new runs, each with a model in the manner of MLflow 2."""
        first = train(self.client)
        ids = [uuid.uuid4().hex for _ in range(count)]
        with self._database() as database:
            [row] = _rows(database, "runs", "run_uuid", first)
            address = row["artifact_uri"]
            copies = ({**row, "run_uuid": id_, "artifact_uri": address.replace(first, id_)} for id_ in ids)
            _write(database, "runs", copies)
            for table in _OF_A_RUN:
                for said in _rows(database, table, "run_uuid", first):
                    _write(database, table, ({**said, "run_uuid": id_} for id_ in ids))
        for id_ in ids:
            model = self.folder / "artifacts" / str(row["experiment_id"]) / id_ / "artifacts" / "model"
            model.mkdir(parents=True)
            (model / "MLmodel").write_text("flavors: {}\n")
        return ids

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.folder / "mlflow.db", timeout=30)) as connection, connection:
            connection.row_factory = sqlite3.Row
            yield connection


@contextmanager
def prepared(folder: Path) -> Iterator[Prepared]:
    """folder: an empty one."""
    with serve(folder) as address:
        yield Prepared(address, folder, MlflowClient(address))


def _rows(database: sqlite3.Connection, table: str, column: str, value: str) -> list[dict[str, Any]]:
    found = database.execute(f'SELECT * FROM {table} WHERE "{column}" = ?', (value,))  # noqa: S608 (names of our own)
    return [dict(row) for row in found]


def _write(database: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    if found := list(rows):
        names = list(found[0])
        columns, values = ", ".join(f'"{name}"' for name in names), ", ".join("?" for _ in names)
        order: Sequence[Sequence[Any]] = [[row[name] for name in names] for row in found]
        database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", order)  # noqa: S608 (as above)

"""Models and runs in numbers: the first is made by MLflow's API, the others are written into its database like it.

By the API a thousand of them would take minutes. tests/bench/test_prepared.py reads them back through the API.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import Connection, Engine, create_engine, text

from tests.mlflow_server import serve, train

_OF_A_RUN = ("tags", "metrics", "latest_metrics")


@dataclass(frozen=True)
class Prepared:
    """A running MLflow server. folder: where its artifacts, its log and, with SQLite, its database are."""

    address: str
    folder: Path
    client: MlflowClient
    engine: Engine

    def models(self, prefix: str, count: int) -> list[str]:
        """Names of new registered models, each with a version 1."""
        names = [f"{prefix}-{number}" for number in range(count)]
        self.client.create_registered_model(names[0])
        run = train(self.client)
        source = f"{self.client.get_run(run).info.artifact_uri}/model"
        self.client.create_model_version(names[0], source, run, await_creation_for=0)
        with self.engine.begin() as database:
            for table in ("registered_models", "model_versions"):
                [first] = _rows(database, table, "name", names[0])
                _write(database, table, ({**first, "name": name} for name in names[1:]))
        return names

    def runs(self, count: int) -> list[str]:
        """Ids of new runs, each with a model in the manner of MLflow 2."""
        first = train(self.client)
        ids = [uuid.uuid4().hex for _ in range(count)]
        with self.engine.begin() as database:
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
def prepared(folder: Path, *, backend: str | None = None, workers: int = 1) -> Iterator[Prepared]:
    """folder: an empty one. backend: the URL of MLflow's database; else SQLite. workers: processes of MLflow."""
    with serve(folder, backend=backend, workers=workers) as address:
        engine = create_engine(
            backend or f"sqlite:///{folder}/mlflow.db", connect_args={} if backend else {"timeout": 30}
        )
        yield Prepared(address, folder, MlflowClient(address), engine)
        engine.dispose()


def _rows(database: Connection, table: str, column: str, value: str) -> list[dict[str, Any]]:
    query = text(f'SELECT * FROM {table} WHERE "{column}" = :value')  # noqa: S608 (names of our own)
    return [dict(row) for row in database.execute(query, {"value": value}).mappings()]


def _write(database: Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    if found := list(rows):
        names = list(found[0])
        columns, values = ", ".join(f'"{name}"' for name in names), ", ".join(f":{name}" for name in names)
        database.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), found)  # noqa: S608 (as above)

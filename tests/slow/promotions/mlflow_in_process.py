"""MLflow's own store in this process: all of it but the HTTP, which takes four fifths of a call's time."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlflow import MlflowClient
from mlflow.store.model_registry import sqlalchemy_store

from tests.mlflow_server import tracking_uri
from worker.registry.mlflow import MlflowRegistry

DATABASE = "mlflow.db"


@contextmanager
def in_process(folder: Path, *, now: Callable[[], int] | None = None) -> Iterator[str]:
    """A tracking URI: MLflow on SQLite in a folder, the files of its runs beside it. In force to the block's end.

    now: its clock, in milliseconds; no two changes may be in the same one, so that the same example
    finds the same twice.
    """
    uri = f"sqlite:///{folder}/{DATABASE}"
    tick = now or itertools.count(time.time_ns() // 1_000_000).__next__
    # MLflow's store asks for it where a version's source is a logged model.
    with tracking_uri(uri), patch.object(sqlalchemy_store, "get_current_time_millis", tick):
        yield uri


class RegistryInProcess(MlflowRegistry):
    """The worker's door as it is, on MLflow's store where it would speak to a server."""

    def __init__(self, uri: str, *, before_write: Callable[[], None] = lambda: None, **given: Any) -> None:
        super().__init__(uri, before_write=before_write, **{"client": MlflowClient(uri), **given})
        self._store = self._client._get_registry_client().store

    def guarded(self, before_write: Callable[[], None]) -> "RegistryInProcess":
        return RegistryInProcess(
            self._uri, before_write=before_write, client=self._client, search_sizes=self._search_sizes
        )

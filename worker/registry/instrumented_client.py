"""MLflow's client with an eye on it: how long each call took, and how it ended."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts as _download
from mlflow.artifacts import list_artifacts as _list
from mlflow.store.model_registry.rest_store import RestStore
from mlflow.utils.credentials import get_default_host_creds

from worker import metrics
from worker.registry import origin
from worker.registry.errors import translate

Given = ParamSpec("Given")
Found = TypeVar("Found")


def client(uri: str) -> MlflowClient:
    """uri: of tracking server and registry."""
    origin.listen()
    return cast("MlflowClient", _Watched(MlflowClient(tracking_uri=uri, registry_uri=uri)))


def store(uri: str) -> RestStore:
    """What a client calls in the end, for calls that are to be made alone. uri: of the registry's server."""
    origin.listen()
    return cast("RestStore", _Watched(RestStore(partial(get_default_host_creds, uri))))


def watched(name: str, call: Callable[Given, Found]) -> Callable[Given, Found]:
    def timed(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        with metrics.call(name, partial(translate, name)):
            return call(*args, **kwargs)

    return timed


download_artifacts = watched("download_artifacts", _download)
list_artifacts = watched("list_artifacts", _list)


class _Watched:
    def __init__(self, inner: MlflowClient | RestStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return watched(name, getattr(self._inner, name))

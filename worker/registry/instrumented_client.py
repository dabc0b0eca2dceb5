"""MLflow's client with metrics: the duration of each call, and how it ended."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts as _download
from mlflow.artifacts import list_artifacts as _list
from mlflow.store.model_registry.rest_store import RestStore
from mlflow.utils.credentials import get_default_host_creds

from worker import observability
from worker.registry import origin
from worker.registry.errors import translate

Given = ParamSpec("Given")
Found = TypeVar("Found")


def client(uri: str) -> MlflowClient:
    """uri: of tracking server and registry."""
    origin.install_check()
    return cast("MlflowClient", _Instrumented(MlflowClient(tracking_uri=uri, registry_uri=uri)))


def store(uri: str) -> RestStore:
    """Return the store below a client, for single calls. uri: of the registry's server."""
    origin.install_check()
    return cast("RestStore", _Instrumented(RestStore(partial(get_default_host_creds, uri))))


def instrumented(name: str, call: Callable[Given, Found]) -> Callable[Given, Found]:
    def timed(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        with observability.count_call(name, partial(translate, name)):
            return call(*args, **kwargs)

    return timed


download_artifacts = instrumented("download_artifacts", _download)
list_artifacts = instrumented("list_artifacts", _list)


class _Instrumented:
    def __init__(self, inner: MlflowClient | RestStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return instrumented(name, getattr(self._inner, name))

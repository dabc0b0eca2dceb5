"""MLflow's client with metrics: each call's duration and result."""

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

Params = ParamSpec("Params")
Result = TypeVar("Result")


def client(uri: str) -> MlflowClient:
    """Return MLflow's client. uri: of tracking server and registry."""
    origin.install_check()
    return cast("MlflowClient", _Instrumented(MlflowClient(tracking_uri=uri, registry_uri=uri)))


def store(uri: str) -> RestStore:
    """Return the store below a client, for single calls. uri: of the registry's server."""
    origin.install_check()
    return cast("RestStore", _Instrumented(RestStore(partial(get_default_host_creds, uri))))


def instrumented(name: str, call: Callable[Params, Result]) -> Callable[Params, Result]:
    """Return a call that is counted and timed. name: as in the metrics."""

    def timed(*args: Params.args, **kwargs: Params.kwargs) -> Result:
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

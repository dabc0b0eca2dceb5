"""protocol.Registry on MLflow: the only module that writes to MLflow. Measured on MLflow 3.17 and 3.18."""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.entities.model_registry import ModelVersionTag
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_TRACKING_PASSWORD,
    MLFLOW_TRACKING_USERNAME,
)

from registrar.config.credentials import login, without_login
from worker.registry import conversion, entities, instrumented_client
from worker.registry.entities import Experiment, Model, ModelSource, Run, Version
from worker.registry.errors import translate_errors, translate_write_errors
from worker.registry.files import Files
from worker.registry.protocol import NotFound, PermanentError
from worker.registry.versions import SEARCH_SIZES, Versions, pages, quoted

TIMEOUT_SECONDS = 10  # of one HTTP call; well below a lease (registrar.ledger.tasks.LEASE_SECONDS)
_PAGE, _MODELS_PAGE = 200, 1000


# At each request, MLflow's client tries to import these, to see whether it runs in Databricks (its
# DatabricksRequestHeaderProvider). Python looks for a missing module anew each time, which takes longer than all else
# that the client does; None in sys.modules makes the import fail at once:
# https://docs.python.org/3/reference/import.html#the-module-cache
_DATABRICKS = ("dbruntime", "IPython", "pyspark")


def configure_client() -> None:
    """Make MLflow's client fail fast, as worker/retry.py retries: by default, a call blocks for 247 s."""
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(TIMEOUT_SECONDS)
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    for name in _DATABRICKS:
        if find_spec(name) is None:
            sys.modules[name] = None  # type: ignore[assignment]
    # Stages are deprecated, and in wide use; this program moves them.
    warnings.filterwarnings("ignore", category=FutureWarning, module="mlflow")
    warnings.filterwarnings("ignore", message=".*[Mm]odel registry stages.*", category=FutureWarning)


class MlflowRegistry(Files, Versions):
    """The registry of one process or task. uri: MLFLOW_TRACKING_URI. before_write: called right before each write;
    raises where the lease is lost.

    Writes to existing versions bypass MlflowClient, which would read the whole model first, to rule out a prompt. Tasks
    read a version before they write to it, and reading a prompt raises NotFound.
    """

    def __init__(
        self,
        uri: str,
        *,
        before_write: Callable[[], None] = lambda: None,
        client: MlflowClient | None = None,
        search_sizes: Sequence[int] = SEARCH_SIZES,
    ) -> None:
        uri = _set_login(uri)
        super().__init__(uri, client or instrumented_client.client(uri))
        self._before_write = before_write
        self._search_sizes = search_sizes

    @property
    def address(self) -> str:
        return self._uri.rstrip("/")

    def guarded(self, before_write: Callable[[], None]) -> "MlflowRegistry":
        """Return the registry of one task. before_write: checks that the task is still ours."""
        return MlflowRegistry(
            self._uri, before_write=before_write, client=self._client, search_sizes=self._search_sizes
        )

    @contextmanager
    def _write(self, what: str) -> Iterator[None]:
        self._before_write()
        with translate_write_errors(what):
            yield

    def run(self, run_id: str) -> Run:
        with translate_errors(f"reading run {run_id}"):
            return conversion.to_run(self._client.get_run(run_id))

    def search_runs(
        self,
        experiment: str,
        *,
        filter_string: str = "",
        order_by: Iterable[str] = (),
        max_results: int = 100,
        run_view_type: str = "ACTIVE_ONLY",
    ) -> list[Run]:
        if (parent := self.experiment(experiment)) is None:
            raise NotFound(f"there is no experiment {experiment!r}")
        with translate_errors(f"searching the runs of {experiment!r}"):
            runs = self._client.search_runs(
                [parent.id],
                filter_string=filter_string,
                run_view_type=ViewType.from_string(run_view_type.lower()),
                max_results=max_results,
                order_by=list(order_by),
            )
            return [conversion.to_run(run) for run in runs]

    def experiments(self) -> list[Experiment]:
        with translate_errors("listing experiments"):
            answers = pages(lambda token: self._client.search_experiments(max_results=_PAGE, page_token=token))
            return [conversion.to_experiment(experiment) for experiment in answers]

    def experiment(self, name: str) -> Experiment | None:
        with translate_errors(f"reading experiment {name!r}"):
            answer = self._client.get_experiment_by_name(name)
            return conversion.to_experiment(answer) if answer else None

    def create_experiment(self, name: str, *, tags: Mapping[str, str]) -> str:
        with self._write(f"creating experiment {name!r}"):
            return str(self._client.create_experiment(name, tags=dict(tags)))

    def source_of(self, run: Run, artifact_path: str) -> ModelSource:
        """Find a model logged beside the run (MLflow 3), or among its artifacts (MLflow 2)."""
        with translate_errors(f"looking for the model of run {run.id}"):
            if logged := self._logged_model(run, artifact_path):
                return logged
            # By the run's id alone, MLflow's client makes three more calls.
            names = self.listed(f"{run.artifact_uri.rstrip('/')}/{artifact_path}")
        if "MLmodel" in names:
            uri = f"{run.artifact_uri}/{artifact_path}"
            return ModelSource(uri, address=uri, name=artifact_path)
        raise NotFound(
            f"run {run.id} logged no model named {artifact_path!r}: log one with log_model(name={artifact_path!r}), "
            "or say its name in artifact_path"
        )

    def logged_models(self, run: Run) -> list[str]:
        """Return the names of the run's outputs (MLflow 3), and of what MLflow 2 noted in a tag of the run."""
        with translate_errors(f"looking for the models of run {run.id}"):
            names = {str(model.name) for _, model in self._ready_models(run)}
        return sorted(names | conversion.log_model_history(run.tags))

    def _logged_model(self, run: Run, name: str) -> ModelSource | None:
        """Return the run's newest ready model of a name; there may be several, of different steps."""
        ready = [
            (step, int(model.creation_timestamp), str(model.model_id), str(model.artifact_location or ""))
            for step, model in self._ready_models(run)
            if model.name == name
        ]
        if not ready:
            return None
        *_, model_id, address = max(ready)
        return ModelSource(f"models:/{model_id}", model_id, address, name)

    def _ready_models(self, run: Run) -> list[tuple[int, Any]]:
        """Return the models that MLflow 3 logged in a run, each with its step."""
        models = [(step, self._client.get_logged_model(model_id)) for model_id, step in run.outputs]
        ready = ("READY", "LoggedModelStatus.READY")
        return [(step, model) for step, model in models if str(model.status) in ready]

    def models(self, *, max_results: int | None = 100) -> list[Model]:
        with translate_errors("listing models"):
            answers = islice(pages(partial(self._search_models, max_results or _MODELS_PAGE)), max_results)
            return [conversion.to_model(answer) for answer in answers]

    def _search_models(self, most: int, token: str | None, wanted: str | None = None) -> Any:
        """Search past MlflowClient, whose filter against prompts leaves out all models on servers before 2.21."""
        return self._store.search_registered_models(wanted, max_results=most, page_token=token)

    def model(self, name: str) -> Model:
        with translate_errors(f"reading model {name!r}"):
            return conversion.to_model(self._store.get_registered_model(name))

    def ensure_model(self, name: str) -> None:
        with translate_errors(f"reading model {name!r}"):
            if self._search_models(1, None, f"name = {quoted(name)}"):
                return
        try:
            with self._write(f"creating model {name!r}"):
                self._client.create_registered_model(name)
        except PermanentError as error:
            if getattr(error.__cause__, "error_code", None) != "RESOURCE_ALREADY_EXISTS":
                raise

    def create_version(
        self, model: str, source: ModelSource, *, run_id: str, description: str, tags: Mapping[str, str]
    ) -> Version:
        """Send tags and description in the same call: it is atomic, and one set_tag costs as much."""
        with self._write(f"registering run {run_id} as a version of {model}"):
            created = self._client.create_model_version(
                model,
                source.uri,
                run_id=run_id,
                tags=dict(tags),
                description=description,
                await_creation_for=0,
                model_id=source.logged_model,
            )
            return conversion.to_version(created)

    def set_stage(self, model: str, version: int, stage: str) -> Version:
        """Move a version, without archive_existing_versions: that leaves two holders under load, and fails on
        psycopg 3.
        """
        with self._write(f"moving {model} version {version} to {stage}"):
            moved = self._store.transition_model_version_stage(model, version, stage, archive_existing_versions=False)
            return conversion.to_version(moved)

    def set_alias(self, model: str, alias: str, version: int) -> None:
        with self._write(f"setting @{alias} of {model} to version {version}"):
            self._store.set_registered_model_alias(model, alias, version)

    def drop_alias(self, model: str, alias: str) -> None:
        with self._write(f"taking @{alias} of {model} away"):
            self._store.delete_registered_model_alias(model, alias)

    def set_description(self, model: str, version: int, description: str) -> Version:
        with self._write(f"describing {model} version {version}"):
            return conversion.to_version(self._store.update_model_version(model, version, description=description))

    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        with self._write(f"tagging {model} version {version}"):
            self._store.set_model_version_tag(model, version, ModelVersionTag(key, entities.cut_tag(value)))

    def drop_tag(self, model: str, version: int, key: str) -> None:
        with self._write(f"taking a tag of {model} version {version} away"):
            self._store.delete_model_version_tag(model, version, key)

    def delete_version(self, model: str, version: int) -> None:
        with self._write(f"deleting {model} version {version}"):
            self._store.delete_model_version(model, version)

    def take_back(self, model: str, version: int) -> None:
        with translate_write_errors(f"taking back {model} version {version}"):
            self._store.delete_model_version(model, version)


def _set_login(uri: str) -> str:
    """Give MLflow the address' login by its settings, and return the address without it: MLflow repeats addresses in
    errors.
    """
    if credentials := login(uri):
        MLFLOW_TRACKING_USERNAME.set(credentials.user)
        MLFLOW_TRACKING_PASSWORD.set(credentials.password)
    return without_login(uri)

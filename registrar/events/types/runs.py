"""Events about runs: trainings, evaluations, experiments, and artifacts to fetch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from registrar.events.types.filters import Filter, OrderBy
from registrar.events.types.terms import (
    ArtifactPath,
    Commit,
    Data,
    ModelName,
    Name,
    OneVersion,
    RunId,
    Tags,
    Text,
    Version,
)


class RunSearch(BaseModel):
    """The best run of a search, with the arguments of MlflowClient.search_runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    experiment: Name
    filter_string: Filter = ""
    order_by: OrderBy = []
    max_results: Annotated[int, Field(ge=1, le=1000)] = 1
    run_view_type: Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"] = "ACTIVE_ONLY"


class Registration(Data):
    """Registers a run's model as a version: a given run's, or that of the first run of a search that has one."""

    task = "worker.register"

    model: ModelName
    run_id: RunId | None = None
    search: RunSearch | None = None
    artifact_path: ArtifactPath | None = Field(None, description="name the model was logged under; the policy's else")
    commit: Commit | None = Field(None, description="the commit that was trained")
    description: Text | None = None
    tags: Tags = {}

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.run_id is None) == (self.search is None):
            raise ValueError("give exactly one of run_id and search")
        return self


class TrainingRunFinished(Registration):
    """A training run ended well: register its model, then try it against the policy."""

    type = "training_run.finished"
    asks = False


class TrainingRunFailed(Data):
    """A training run failed: people are notified, nothing is registered."""

    type = "training_run.failed"
    task = "worker.report"
    asks = False

    model: ModelName
    run_id: RunId | None = None
    reason: Text | None = None
    commit: Commit | None = None


class ModelVersionRegister(Registration):
    """Register a run's model: like training_run.finished, as a command."""

    type = "model_version.register"


class EvaluationRunFinished(OneVersion):
    """A version was evaluated: gates use this run, and targets that it was held back from are tried again."""

    type = "evaluation_run.finished"
    task = "worker.evaluated"
    asks = False

    run_id: RunId


class ExperimentCreate(Data):
    """Create an experiment, unless there is one of that name."""

    type = "experiment.create"
    task = "worker.create_experiment"

    name: Name
    tags: Tags = {}

    def lane(self, event_id: str) -> str:
        return f"experiment:{self.name}"


class ArtifactsFetch(Data):
    """Copy the artifacts of a run or of a version into the worker's artifacts folder."""

    type = "artifacts.fetch"
    task = "worker.fetch"

    run_id: RunId | None = None
    model: ModelName | None = None
    version: Version | None = None
    path: ArtifactPath | None = Field(None, description="only this part of a run's artifacts")

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.run_id is None) == (self.model is None) or (self.model is None) != (self.version is None):
            raise ValueError("give run_id, or model and version")
        if self.model is not None and self.path is not None:
            raise ValueError("path goes with run_id; a version is fetched whole")
        return self

    def lane(self, event_id: str) -> str:
        """Return a lane of its own: a long download, which changes nothing in the registry, delays no promotion."""
        return f"fetch:{self.run_id or f'{self.model}/{self.version}'}"

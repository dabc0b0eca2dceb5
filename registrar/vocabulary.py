"""What events can say: facts in the past tense, commands in the imperative, each with its data.

A payload names models, versions, runs and experiments; never URIs, paths, task names or commands.
Adding one: a subclass of `Data` here, with the Celery task that it starts.
"""

import difflib
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

STAGES = ("None", "Staging", "Production", "Archived")


def _version(value: object) -> object:
    """MLflow's API gives versions as strings; both spellings are taken, True and 2.0 are not."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a version is a whole number such as 3")
    return value


def _stage(value: object) -> object:
    """MLflow takes stages in any case; so do we, and keep its own spelling."""
    return next((s for s in STAGES if isinstance(value, str) and s.lower() == value.lower()), value)


# Python's $ also matches before a final line break; $(?!\n) does not, and means the same in a JSON Schema.
# No control characters: they forge log lines, and PostgreSQL refuses NUL.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$(?!\n)", max_length=2000)]
# MLflow refuses "/" and ":" in model names (mlflow.utils.validation._validate_model_name).
ModelName = Annotated[str, StringConstraints(pattern=r"^(?!\.{1,2}$)[^/:\x00-\x1f\x7f]{1,250}$(?!\n)")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,250}$(?!\n)")]
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$(?!\n)")]
Version = Annotated[int, BeforeValidator(_version), Field(ge=1, le=2**31 - 1)]
Stage = Annotated[Literal["None", "Staging", "Production", "Archived"], BeforeValidator(_stage)]
# A path inside a run's or version's artifacts: relative, without "..", "\" or "//".
ArtifactPath = Annotated[
    str, StringConstraints(pattern=r"^(?!/)(?!.*(^|/)\.\.?(/|$))(?!.*//)[^\\\x00-\x1f\x7f]{1,500}$(?!\n)")
]
# Shown to people, never followed. No user before the host, no characters that end a link in chat markup.
LINK = r"^https?://[A-Za-z0-9._~:/?#&+,;=%-]{1,500}$(?!\n)"
Link = Annotated[str, StringConstraints(pattern=LINK)]
Tags = Annotated[dict[Name, Text], Field(max_length=50)]


class Data(BaseModel):
    """The `data` of one event type. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    type: ClassVar[str]
    task: ClassVar[str]  # the Celery task that acts on it

    @property
    def registered_model(self) -> str | None:
        """The registered model it is about: what a source's grant and the lane are judged by."""
        return getattr(self, "model", None)

    def lane(self, event_id: str) -> str:
        """Work of one lane runs one at a time, in the order of acceptance (DESIGN.md section 3)."""
        return f"model:{self.registered_model}" if self.registered_model else f"event:{event_id}"


class RunSearch(BaseModel):
    """The best run of a search, with the arguments of MlflowClient.search_runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")

    experiment: Name
    filter_string: Text = ""
    order_by: Annotated[list[Text], Field(max_length=10)] = []
    max_results: Annotated[int, Field(ge=1, le=1000)] = 1
    run_view_type: Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"] = "ACTIVE_ONLY"


class Registration(Data):
    """What makes a version of a run's model: of a given run, or of the first run of a search that has one."""

    task = "worker.register"

    model: ModelName
    run_id: RunId | None = None
    search: RunSearch | None = None
    artifact_path: ArtifactPath | None = Field(None, description="name the model was logged under; the policy's else")
    commit: Name | None = Field(None, description="the commit that was trained")
    description: Text | None = None
    tags: Tags = {}

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.run_id is None) == (self.search is None):
            raise ValueError("give exactly one of run_id and search")
        return self


class TrainingRunFinished(Registration):
    """A training run ended well: register its model, then try it against the policy."""

    type = "training_run.finished"


class TrainingRunFailed(Data):
    """A training run ended badly: people are told, nothing is registered."""

    type = "training_run.failed"
    task = "worker.report"

    model: ModelName
    run_id: RunId | None = None
    reason: Text | None = None
    commit: Name | None = None


class ModelVersionRegister(Registration):
    """The same as a command: somebody asks for it, no run just ended."""

    type = "model_version.register"


class _OneVersion(Data):
    """An event about one version of one model."""

    model: ModelName
    version: Version


class ModelVersionTransition(_OneVersion):
    """Move a version to a stage. A stage that the policy guards becomes a promotion request."""

    type = "model_version.transition"
    task = "worker.transition"

    stage: Stage
    reason: Text | None = None


class ModelVersionArchive(_OneVersion):
    """Move a version to Archived and take its aliases away."""

    type = "model_version.archive"
    task = "worker.archive"

    reason: Text | None = None


class ModelVersionDescribe(_OneVersion):
    """Set a version's description (replaced whole) and tags (added or replaced)."""

    type = "model_version.describe"
    task = "worker.describe"

    description: Text | None = None
    tags: Tags = {}

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.description is None and not self.tags:
            raise ValueError("give a description, tags, or both")
        return self


class PromotionRequest(_OneVersion):
    """Ask that a version be tried against a target's gates and, where needed, be approved."""

    type = "promotion.request"
    task = "worker.request"

    target: Stage = Field(description="the stage it should reach")
    reason: Text | None = None


class Vote(_OneVersion):
    """A person's word on an open promotion. `promotion` pins one request; without it, the open one is meant."""

    task = "worker.vote"

    target: Stage = "Production"
    promotion: Annotated[str, StringConstraints(pattern=r"^prm_[0-9a-f]{32}$(?!\n)")] | None = None
    reason: Text | None = None


class PromotionApprove(Vote):
    """Approve an open promotion."""

    type = "promotion.approve"

    break_glass: bool = Field(False, description="alone and at once: members of the policy's break_glass group")


class PromotionReject(Vote):
    """Reject an open promotion."""

    type = "promotion.reject"


class PromotionCancel(Vote):
    """Take an open request back: by whoever asked, or whoever may approve."""

    type = "promotion.cancel"
    task = "worker.cancel"


class EvaluationRunFinished(_OneVersion):
    """A version was evaluated: gates look at this run, and what it was held back from is tried again."""

    type = "evaluation_run.finished"
    task = "worker.evaluated"

    run_id: RunId


class Deployment(_OneVersion):
    """What became of a version's deployment. One that was asked for is live then, or goes back where policy says so."""

    task = "worker.deployed"

    environment: Name
    url: Link | None = None
    commit: Name | None = None


class DeploymentSucceeded(Deployment):
    """A version was deployed."""

    type = "deployment.succeeded"


class DeploymentFailed(Deployment):
    """A version could not be deployed."""

    type = "deployment.failed"


class ModelRollback(Data):
    """Back to the version that held the stage before; the one that holds it now is quarantined."""

    type = "model.rollback"
    task = "worker.rollback"

    model: ModelName
    target: Literal["Staging", "Production"] = "Production"
    reason: Annotated[Text, Field(min_length=1, description="why; it is shown wherever the version is held back")]


class ModelPrune(Data):
    """Mark old versions as the model's retention says, and delete those marked before whose grace is over."""

    type = "model.prune"
    task = "worker.prune"

    model: ModelName
    reason: Text | None = None


class RegistryChanged(Data):
    """Something in the registry changed, as MLflow says: by hand, or by us. Changes nothing there."""

    type = "registry.changed"
    task = "worker.observe"

    model: ModelName
    change: Literal[
        "registered_model.created",
        "model_version.created",
        "model_version_tag.set",
        "model_version_tag.deleted",
        "model_version_alias.created",
        "model_version_alias.deleted",
    ]
    version: Version | None = None
    alias: Name | None = None
    key: Name | None = None
    value: Text | None = None


class ModelReview(Data):
    """Do what is due: remind, escalate, expire, go on after a wait. The timer sends it; sent early, it does nothing."""

    type = "model.review"
    task = "worker.review"

    model: ModelName


class RegistryReconcile(Data):
    """Compare every stage and alias of a model with the record: what was changed by hand is told, or put back."""

    type = "registry.reconcile"
    task = "worker.reconcile"

    model: ModelName


class ExperimentCreate(Data):
    """Create an experiment, if there is none of that name."""

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
    def _one_of(self) -> Self:
        if (self.run_id is None) == (self.model is None) or (self.model is None) != (self.version is None):
            raise ValueError("give run_id, or model and version")
        if self.model is not None and self.path is not None:
            raise ValueError("path goes with run_id; a version is fetched whole")
        return self

    def lane(self, event_id: str) -> str:
        """Reading changes nothing in the registry: a long download holds up no promotion."""
        return f"fetch:{self.run_id or f'{self.model}/{self.version}'}"


class RegistryQuery(Data):
    """A person's question, answered to the address that came with it."""

    type = "registry.query"
    task = "worker.query"

    question: Literal["experiments", "runs", "models", "versions", "history", "plan", "plan_prune"]
    model: ModelName | None = None
    version: Version | None = Field(None, description="of a plan, with target: the stage it should reach")
    target: Stage | None = None
    experiment: Name | None = None
    filter_string: Text = ""
    order_by: Annotated[list[Text], Field(max_length=10)] = []
    max_results: Annotated[int, Field(ge=1, le=50)] = 10

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.question in ("versions", "history", "plan", "plan_prune") and self.model is None:
            raise ValueError(f"{self.question.replace('_', ' ')} needs a model")
        if self.question == "plan" and (self.version is None or self.target is None):
            raise ValueError("plan needs a version and a stage")
        if self.question != "plan" and (self.version is not None or self.target is not None):
            raise ValueError("only plan takes a version and a target")
        if self.question == "runs" and self.experiment is None:
            raise ValueError("runs needs an experiment")
        return self

    def lane(self, event_id: str) -> str:
        """A question waits for nothing."""
        return f"event:{event_id}"


def _leaves(kind: type[Data]) -> list[type[Data]]:
    below = kind.__subclasses__()
    return [leaf for sub in below for leaf in _leaves(sub)] if below else [kind]


VOCABULARY: dict[str, type[Data]] = {kind.type: kind for kind in _leaves(Data)}


class UnknownType(ValueError):
    """An event type that is not in the vocabulary; the message lists those that are."""


def parse(type_: str, data: dict[str, Any]) -> Data:
    """Validate `data` as the data of an event of type `type_`.

    Raises UnknownType, or pydantic.ValidationError with one entry per wrong or missing field.
    """
    try:
        kind = VOCABULARY[type_]
    except KeyError:
        near = difflib.get_close_matches(type_[:80], VOCABULARY, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise UnknownType(
            f"unknown event type {type_[:80]!r}{meant}; known are {', '.join(sorted(VOCABULARY))}"
        ) from None
    return kind.model_validate(data)

"""Events about a whole model, and questions about the registry."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from registrar.events.types.filters import Filter, OrderBy
from registrar.events.types.terms import Data, ModelName, Name, Stage, Text, Version
from registrar.text.duration import Duration

Kept = Annotated[int, Field(ge=1, le=1000, description="the newest so many stay, however old they are")]


class RegistryChanged(Data):
    """MLflow reports a change in its registry, by hand or by Registrar. It is recorded; a new version is taken in."""

    type = "registry.changed"
    task = "worker.observe"
    asks = False

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


class RegistryReconcile(Data):
    """Compare a model with the record: changes by hand are reported or reverted, new versions taken in."""

    type = "registry.reconcile"
    task = "worker.reconcile"

    model: ModelName


class RegistrySettle(Data):
    """Settle which counts when MLflow and the record of a model contradict each other, as after a restored backup.

    `mlflow`: the record takes over what MLflow shows. `ledger`: MLflow is set to what the record has, where the
    versions are the same. `plan`: only say what either would do.
    """

    type = "registry.settle"
    task = "worker.settle"

    model: ModelName
    trust: Literal["mlflow", "ledger"] | None = None
    plan: bool = False
    reason: Text | None = None

    @model_validator(mode="after")
    def _require_trust_or_plan(self) -> Self:
        if self.trust is None and not self.plan:
            raise ValueError("say which counts: trust is mlflow or ledger; or ask for a plan")
        return self


class ModelPrune(Data):
    """Mark old versions for deletion by the model's retention, and delete marked ones whose grace period is over."""

    type = "model.prune"
    task = "worker.prune"

    model: ModelName
    reason: Text | None = None


class ModelAdopt(Data):
    """Take in a model that MLflow had before Registrar: its holders as they are, and its newest version as a candidate.

    Without `model`: every model of MLflow that registrar.yml names. `plan`: only say what would come of it.
    """

    type = "model.adopt"
    task = "worker.adopt_model"

    model: ModelName | None = None
    plan: bool = False
    reason: Text | None = None


class ModelArchive(Data):
    """Move old versions to Archived: none that holds a stage or an alias, or that a promotion or a rollback needs."""

    type = "model.archive"
    task = "worker.archive_old"

    model: ModelName
    older_than: Annotated[Duration, Field(description="only what was registered longer ago")]
    keep: Kept = 1
    reason: Text | None = None


_OF_MODEL = ("versions", "history", "plan", "plan_prune", "plan_archive", "fetch")


class RegistryQuery(Data):
    """A question about the registry or the record. The task's outcome has the answer, also as rows or as a plan; it is
    sent to the address that came with the question, if any.
    """

    type = "registry.query"
    task = "worker.query"
    pressing = True

    question: Literal[
        "experiments",
        "runs",
        "models",
        "versions",
        "history",
        "plan",
        "plan_prune",
        "plan_archive",
        "fetch",
        "dead",
    ]
    model: ModelName | None = None
    version: Version | None = Field(
        None, description="of fetch; of versions, this one alone; of a plan, with target: the stage it should reach"
    )
    target: Stage | None = None
    experiment: Name | None = None
    filter_string: Filter = ""
    order_by: OrderBy = []
    max_results: Annotated[int | None, Field(ge=1, le=1000, description="of runs or versions")] = None
    run_view_type: Literal["ACTIVE_ONLY", "DELETED_ONLY", "ALL"] = "ACTIVE_ONLY"
    older_than: Annotated[Duration | None, Field(description="of a plan to archive, as of model.archive")] = None
    keep: Kept = 1

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.question in _OF_MODEL and self.model is None:
            raise ValueError(f"{self.question.replace('_', ' ')} needs a model")
        if self.model is not None and self.question not in (*_OF_MODEL, "dead"):
            raise ValueError(f"{self.question} takes no model")  # else a grant for one model would answer for all
        if (self.question == "plan_archive") != (self.older_than is not None):
            raise ValueError("a plan to archive needs older_than, and nothing else takes it")
        if self.question == "plan" and (self.version is None or self.target is None):
            raise ValueError("plan needs a version and a stage")
        if self.question == "fetch" and self.version is None:
            raise ValueError("fetch needs a version")
        if self.question != "plan" and self.target is not None:
            raise ValueError("only plan takes a target")
        if self.question not in ("plan", "fetch", "versions") and self.version is not None:
            raise ValueError("only plan, fetch and versions take a version")
        if self.question == "runs" and self.experiment is None:
            raise ValueError("runs needs an experiment")
        return self

    def lane(self, event_id: str) -> str:
        """Return a lane of its own: a question waits for nothing."""
        return f"event:{event_id}"

"""Events about a whole model, and questions about the registry."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from registrar.events.types.filters import Filter, OrderBy
from registrar.events.types.terms import Data, ModelName, Name, Stage, Text, Version


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


class RegistryQuery(Data):
    """A person's question, answered to the address that came with it."""

    type = "registry.query"
    task = "worker.query"
    pressing = True

    question: Literal["experiments", "runs", "models", "versions", "history", "plan", "plan_prune", "fetch", "dead"]
    model: ModelName | None = None
    version: Version | None = Field(None, description="of fetch; of a plan, with target: the stage it should reach")
    target: Stage | None = None
    experiment: Name | None = None
    filter_string: Filter = ""
    order_by: OrderBy = []
    max_results: Annotated[int, Field(ge=1, le=50)] = 10

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.question in ("versions", "history", "plan", "plan_prune", "fetch") and self.model is None:
            raise ValueError(f"{self.question.replace('_', ' ')} needs a model")
        if self.question == "plan" and (self.version is None or self.target is None):
            raise ValueError("plan needs a version and a stage")
        if self.question == "fetch" and self.version is None:
            raise ValueError("fetch needs a version")
        if self.question != "plan" and self.target is not None:
            raise ValueError("only plan takes a target")
        if self.question not in ("plan", "fetch") and self.version is not None:
            raise ValueError("only plan and fetch take a version")
        if self.question == "runs" and self.experiment is None:
            raise ValueError("runs needs an experiment")
        return self

    def lane(self, event_id: str) -> str:
        """Return a lane of its own: a question waits for nothing."""
        return f"event:{event_id}"

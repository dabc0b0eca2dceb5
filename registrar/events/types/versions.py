"""Events about one version: moves, descriptions, quarantine, deployments."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from registrar.events.types.terms import Commit, Link, Name, OneVersion, Stage, Tags, Text


class ModelVersionTransition(OneVersion):
    """Move a version to a stage. A stage that the policy guards becomes a promotion request."""

    type = "model_version.transition"
    task = "worker.transition"

    stage: Stage
    reason: Text | None = None


class ModelVersionArchive(OneVersion):
    """Move a version to Archived and remove its aliases."""

    type = "model_version.archive"
    task = "worker.archive"

    reason: Text | None = None


class ModelVersionDescribe(OneVersion):
    """Set a version's description (replaced whole) and tags (added or replaced)."""

    type = "model_version.describe"
    task = "worker.describe"

    description: Text | None = None
    tags: Tags = {}

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if self.description is None and not self.tags:
            raise ValueError("give a description, tags, or both")
        return self


class QuarantineLift(OneVersion):
    """Allow promotions of a version that was rolled back: for those who may approve a promotion of its model."""

    type = "quarantine.lift"
    task = "worker.lift_quarantine"

    reason: Annotated[Text, Field(min_length=1, description="why it is good after all; it is kept in the record")]


class Deployment(OneVersion):
    """The result of a version's deployment. A requested one is then live, or rolled back where the policy says so."""

    task = "worker.deployed"
    asks = False

    environment: Name
    url: Link | None = None
    commit: Commit | None = None


class DeploymentSucceeded(Deployment):
    """A version was deployed."""

    type = "deployment.succeeded"


class DeploymentFailed(Deployment):
    """A version could not be deployed."""

    type = "deployment.failed"

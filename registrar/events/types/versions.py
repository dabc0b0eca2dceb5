"""Events about one version: where it goes, what is said of it, what became of its deployment."""

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
    """Move a version to Archived and take its aliases away."""

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
    def _something(self) -> Self:
        if self.description is None and not self.tags:
            raise ValueError("give a description, tags, or both")
        return self


class QuarantineLift(OneVersion):
    """Let a version that was rolled back be asked for again: by whoever may approve a promotion of its model."""

    type = "quarantine.lift"
    task = "worker.lift_quarantine"

    reason: Annotated[Text, Field(min_length=1, description="why it is good after all; it is kept in the record")]


class Deployment(OneVersion):
    """What became of a version's deployment. One that was asked for is live then, or goes back where policy says so."""

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

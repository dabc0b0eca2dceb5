"""What a model's versions must show, and who must agree, on the way to each stage."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from registrar.policy.gates import Duration, Gate
from registrar.policy.strict import Strict
from registrar.vocabulary import ArtifactPath, Stage

# `latest` and `v1` are reserved by MLflow.
Alias = Annotated[str, StringConstraints(pattern=r"^(?!latest$)(?!v\d+$)[A-Za-z_][\w-]{0,200}$(?!\n)")]


class Rule(Strict):
    """So many different members of a group must approve."""

    group: str
    required_approvals: Annotated[int, Field(ge=1, le=20)] = 1


class Approval(Strict):
    """All rules must be met, and a person counts for one of them.

    exclude: who may not approve: whoever asked for it; whoever trained it, known by the account `mlflow` of people.
    """

    rules: Annotated[list[Rule], Field(min_length=1, max_length=10)]
    exclude: list[Literal["requester", "author"]] = []
    reject_reason: Literal["optional", "required"] = "optional"
    expires_after: Annotated[Duration | None, Field(description="then it must be asked for again")] = None

    @property
    def groups(self) -> list[str]:
        return [rule.group for rule in self.rules]


class Target(Strict):
    """One step of a model's way: a stage, the alias that goes with it, and what it takes to get there."""

    stage: Stage
    alias: Alias | None = None
    from_: Annotated[
        list[Stage] | None, Field(alias="from", description="stages it may come from; else the target before, or None")
    ] = None
    exclusive: Annotated[bool, Field(description="at most one version holds the stage")] = True
    on_replace: Annotated[Literal["archive", "keep"], Field(description="what becomes of the one replaced")] = "archive"
    request: Annotated[
        Literal["automatic", "on_request"], Field(description="ask for this target by itself once a version may come")
    ] = "automatic"
    gates: list[Gate] = []
    approval: Annotated[Literal["automatic"] | Approval, Field(description="automatic, or rules")]

    @model_validator(mode="after")
    def _replacing(self) -> Self:
        if self.exclusive and self.on_replace == "keep":
            raise ValueError("on_replace: keep leaves two holders; it goes with exclusive: false")
        if self.stage in ("None", "Archived"):
            raise ValueError("a target is Staging or Production; None and Archived need no target")
        return self

    @property
    def guarded(self) -> bool:
        """Whether more than a grant is needed to get here."""
        return bool(self.gates) or isinstance(self.approval, Approval)


class ModelPolicy(Strict):
    """The policy of one model, or of all that a glob matches. The most specific entry wins whole."""

    artifact_path: Annotated[ArtifactPath, Field(description="the name models are logged under")] = "model"
    targets: Annotated[list[Target], Field(max_length=5)] = []
    drift: Annotated[
        Literal["alert", "revert"],
        Field(description="what becomes of a guarded stage or alias that was moved by hand; alert: told, and recorded"),
    ] = "alert"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("stage", "alias"):
            values = [value for target in self.targets if (value := getattr(target, what)) is not None]
            if len(values) != len(set(values)):
                raise ValueError(f"two targets have the same {what}")
        return self

    def target(self, stage: str) -> Target | None:
        """The target of that stage, or None where the stage is not governed."""
        return next((target for target in self.targets if target.stage == stage), None)

    def sources_of(self, target: Target) -> list[str]:
        """The stages a version may come from to reach a target."""
        if target.from_ is not None:
            return list(target.from_)
        index = self.targets.index(target)
        return [self.targets[index - 1].stage] if index else ["None"]

    def next_targets(self, stage: str) -> list[Target]:
        """The targets that a version now in `stage` asks for by itself."""
        return [t for t in self.targets if t.request == "automatic" and stage in self.sources_of(t)]

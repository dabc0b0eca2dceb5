"""What a model's versions must show, and who must agree, on the way to each stage."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from registrar.events.types import ArtifactPath, Name, Stage
from registrar.events.types.terms import Form
from registrar.policy.approvals import Approval
from registrar.policy.base_model import Strict
from registrar.policy.gates import Gate
from registrar.policy.time_gates import Cron
from registrar.text.duration import Duration

FromMlflow = Literal["adopt", "tell", "ignore"]


class Retention(Strict):
    """Old versions are marked, and deleted some time later.

    Whatever stands here, these stay: what holds a stage or an alias, what a rollback would go back to, what another
    version was copied from, and what a promotion is open for.
    """

    keep_last: Annotated[int, Field(ge=1, le=1000, description="the newest so many stay, however old they are")]
    older_than: Annotated[Duration, Field(description="only what was registered longer ago may go")]
    grace: Annotated[Duration, Field(description="between being marked and being deleted")] = "7d"
    schedule: Annotated[Cron | None, Field(description="when to prune by itself: cron, in UTC")] = None
    group: Annotated[
        str | None, Field(description="only its members may ask for it; else whoever is granted model.prune")
    ] = None


# MLflow refuses these in any case (mlflow.utils.validation._validate_model_alias_name_reserved), and only when it is
# too late: the version has been moved by then.
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)


def _not_reserved(alias: str) -> str:
    if _RESERVED.fullmatch(alias):
        raise ValueError(f"{alias} is reserved by MLflow, in any case; choose another alias")
    return alias


class Register(Strict):
    """How a model's versions come into the record."""

    from_mlflow: Annotated[
        FromMlflow,
        Field(
            description="what becomes of a version that was registered in MLflow itself: taken in as one that an event "
            "registered, told, or ignored"
        ),
    ] = "adopt"


Alias = Annotated[
    str,
    Form(
        r"^[A-Za-z_][\w-]{0,200}$(?!\n)",
        "is no alias: letters, digits, - and _, beginning with a letter, and without the @ that it is asked for by",
    ),
    AfterValidator(_not_reserved),
    Field(json_schema_extra={"pattern": r"^(?![Ll][Aa][Tt][Ee][Ss][Tt]$)(?![Vv]\d+$)[A-Za-z_][\w-]{0,200}$(?!\n)"}),
]


def _agreed(given: Any) -> Any:
    if given == "automatic" or isinstance(given, dict | Approval):
        return given
    raise ValueError("says who must agree: automatic, or {rules: [{group: NAME}]}")


class Deploy(Strict):
    """Who is told to deploy what reached the target, and what is expected of them.

    Without confirm_within nothing waits for deployment.succeeded or deployment.failed.
    """

    to: Annotated[list[str], Field(min_length=1, description="channels of this file")]
    environment: Annotated[Name | None, Field(description="whose deployment.* count; else any")] = None
    confirm_within: Annotated[Duration | None, Field(description="what is not confirmed by then has failed")] = None
    on_failure: Annotated[
        Literal["alert", "rollback"], Field(description="told; or back to the version that held it before, too")
    ] = "alert"


class Target(Strict):
    """One step of a model's way: a stage, the alias that goes with it, and what it takes to get there."""

    stage: Stage
    alias: Alias | None = None
    previous_alias: Annotated[Alias | None, Field(description="goes to the version that was replaced")] = None
    from_: Annotated[
        list[Stage] | None, Field(alias="from", description="stages it may come from; else the target before, or None")
    ] = None
    exclusive: Annotated[bool, Field(description="at most one version holds the stage")] = True
    on_replace: Annotated[
        Literal["archive", "staging", "keep"], Field(description="what becomes of the one replaced")
    ] = "archive"
    request: Annotated[
        Literal["automatic", "on_request"], Field(description="ask for this target by itself once a version may come")
    ] = "automatic"
    gates: list[Gate] = []
    approval: Annotated[
        Annotated[Literal["automatic"], Tag("(automatic)")] | Annotated[Approval, Tag("(rules)")],
        Discriminator(lambda given: "(automatic)" if given == "automatic" else "(rules)"),
        BeforeValidator(_agreed),
        Field(description="automatic, or rules"),
    ]
    deploy: Deploy | None = None

    @model_validator(mode="after")
    def _replacing(self) -> Self:
        if self.exclusive and self.on_replace == "keep":
            raise ValueError("on_replace: keep leaves two holders; it goes with exclusive: false")
        if self.stage in ("None", "Archived"):
            raise ValueError("a target is Staging or Production; None and Archived need no target")
        if self.on_replace == "staging" and self.stage == "Staging":
            raise ValueError("on_replace: staging is for Production: what leaves Staging can't go there")
        return self

    @property
    def guarded(self) -> bool:
        """Whether more than a grant is needed to get here."""
        return bool(self.gates) or isinstance(self.approval, Approval)


class ModelPolicy(Strict):
    """The policy of one model, or of all that a glob matches. The most specific entry wins whole."""

    artifact_path: Annotated[
        ArtifactPath,
        Field(description="the name models are logged under; else a run's only model counts"),
    ] = "model"
    mode: Annotated[
        Literal["stages+aliases", "stages", "aliases"], Field(description="what says in MLflow where a version is")
    ] = "stages+aliases"
    register_: Annotated[Register, Field(alias="register", description="how versions come into the record")] = (
        Register()
    )
    targets: Annotated[list[Target], Field(max_length=5)] = []
    compare_content_mb: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="an approval holds for the content of a version's smallest files, so many megabytes in all, "
            "and for the names and sizes of the others",
        ),
    ] = 64
    drift: Annotated[
        Literal["alert", "revert", "adopt"],
        Field(description="what becomes of what was moved by hand: told, put back, or completed as the policy has it"),
    ] = "alert"
    reconcile_every: Annotated[
        Duration | None, Field(description="compare MLflow with the record so often; else when asked to")
    ] = None
    poll_every: Annotated[
        Duration | None,
        Field(description="ask MLflow what changed so often, where its webhook does not tell, or loses some"),
    ] = None
    retention: Annotated[Retention | None, Field(description="without it, every version stays")] = None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        stages = [target.stage for target in self.targets]
        named = [alias for target in self.targets for alias in (target.alias, target.previous_alias) if alias]
        for what, values in (("stage", stages), ("alias", named)):
            if twice := [value for nth, value in enumerate(values) if value in values[:nth]]:
                raise ValueError(f"two targets have the same {what}: {twice[0]}")
        return self

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for target in self.targets:
            if self.mode == "aliases" and (target.alias is None or not target.exclusive):
                raise ValueError(f"mode: aliases needs an alias of {target.stage}, and an alias has one holder")
            if self.mode == "stages" and (target.alias or target.previous_alias):
                raise ValueError(f"mode: stages sets no alias: take those of {target.stage} away")
        return self

    @property
    def names_artifact_path(self) -> bool:
        """Whether the name is written down, so that a run's only model counts under no other name."""
        return "artifact_path" in self.model_fields_set

    def target(self, stage: str) -> Target | None:
        """The target of that stage, or None where the stage is not governed."""
        return next((target for target in self.targets if target.stage == stage), None)

    def holding_key(self, target: Target) -> tuple[str, str]:
        """What a version holds in a target, as the record keeps holdings: ("stage", NAME) or ("alias", NAME)."""
        return ("alias", target.alias or "") if self.mode == "aliases" else ("stage", target.stage)

    def sources_of(self, target: Target) -> list[str]:
        """The stages a version may come from to reach a target."""
        if target.from_ is not None:
            return list(target.from_)
        index = self.targets.index(target)
        return [self.targets[index - 1].stage] if index else ["None"]

    def before(self, target: Target) -> str:
        """The stage that a version goes back to from a target: the nearest before it that takes versions from there."""
        earlier = self.targets[: self.targets.index(target)]
        return next((each.stage for each in reversed(earlier) if target.stage in self.sources_of(each)), "None")

    def next_targets(self, stage: str) -> list[Target]:
        """The targets that a version now in `stage` asks for by itself."""
        return [t for t in self.targets if t.request == "automatic" and stage in self.sources_of(t)]

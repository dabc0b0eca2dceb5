"""Schemas of a model's row: its path of targets, the metric that decides, and who must act next."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from webhooks.openapi.promotion_schemas import Voter
from webhooks.openapi.schemas import Shape


class PathHolder(Shape):
    """A version in a target."""

    version: int
    since: datetime
    by: Annotated[str, Field(description="the name of whoever moved it there")]
    by_hand: Annotated[bool, Field(description="it was moved in MLflow, past the policy")]
    quarantined: Annotated[str | None, Field(description="why; null: it is not")]
    live: Annotated[
        Literal["live", "not_live", "deploying", "unknown"] | None,
        Field(description="by its last deployment; unknown: none was requested; null: nothing deploys this target"),
    ]


class PathRequest(Shape):
    """An open promotion to a target."""

    id: str
    version: int
    state: Literal["waiting", "awaiting_approval", "approved"]


class HeldBack(Shape):
    """The newest version, where a target's gates held it back, and nobody asked for it again."""

    version: int
    reasons: list[str]


class TargetStep(Shape):
    """A target of the policy, and what is on its way there."""

    target: str
    alias: str | None
    holders: Annotated[list[PathHolder], Field(description="the latest first")]
    alias_holder: Annotated[int | None, Field(description="the version with the alias")]
    open: list[PathRequest]
    held_back: HeldBack | None


class Reading(Shape):
    """A metric of one version."""

    version: int
    value: float
    held_back: bool


class MetricTrend(Shape):
    """The metric that decides, by the first gate about one of the last target that has any, as the record has it."""

    name: str
    greater_is_better: bool
    champion: Annotated[Reading | None, Field(description="of the version in the last target; null: not known")]
    trend: Annotated[list[Reading], Field(description="of the newest 12 versions that have one, oldest first")]


class NextAct(Shape):
    """Who must act next."""

    who: Literal["approvers", "requester", "operator", "registrar", "deployment", "nobody"]
    why: Annotated[str, Field(description="for people")]
    people: Annotated[list[Voter], Field(description="whose approval is lacking")]
    at: Annotated[
        datetime | None,
        Field(description="when Registrar acts by itself, or by when the deployment must be confirmed"),
    ]
    promotion: Annotated[str | None, Field(description="the id of the promotion that it is about")]

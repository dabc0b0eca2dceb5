"""The schema of two versions side by side."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from webhooks.openapi.schemas import Shape


class HeldBefore(Shape):
    """A holding of a version."""

    name: Annotated[str, Field(description="a stage and aliases, these with an @")]
    since: datetime
    until: datetime | None
    how: Annotated[str, Field(description="how it came there, for people: by whose approval, by hand, by a rollback")]


class ComparedVersion(Shape):
    """A version by the record; null where the record lacks it."""

    version: int
    holds: list[str]
    registered_at: datetime | None
    registered_by: str | None
    author: Annotated[str | None, Field(description="who trained it, as its run says")]
    run_id: str | None
    commit: str | None
    source: str | None
    quarantined: Annotated[str | None, Field(description="why it is; null: it is not")]
    metrics: dict[str, float]
    tags: Annotated[dict[str, str], Field(description="those that events gave it")]
    gates: Annotated[list[dict[str, Any]], Field(description="verdicts of its newest promotion to each target")]
    model_digest: Annotated[str | None, Field(description="of its files, when it was asked for")]
    compared: Annotated[str | None, Field(description="which files the digest covers")]
    policy_digest: str | None
    held: list[HeldBefore]
    deleted: Annotated[bool, Field(description="it is of a model that was deleted in MLflow")]


class ComparedMetric(Shape):
    """A metric of both versions."""

    name: str
    a: float | None
    b: float | None
    difference: Annotated[float | None, Field(description="b - a")]
    verdict: Annotated[
        Literal["better", "worse", "equal"] | None, Field(description="b against a; null: no gate gives the direction")
    ]


class ComparedTag(Shape):
    """A tag of both versions."""

    name: str
    a: str | None
    b: str | None


class Comparison(Shape):
    """Two versions side by side."""

    model: str
    a: ComparedVersion
    b: ComparedVersion
    metrics: list[ComparedMetric]
    tags: list[ComparedTag]
    same_files: Annotated[bool | None, Field(description="null: the record has no comparable digests of both")]

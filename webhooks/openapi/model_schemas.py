"""Schemas of models: holders and their history, incidents, the policy in effect, and the overview."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from registrar.events.states import DeploymentState
from webhooks.openapi.model_path_schemas import MetricTrend, NextAct, TargetStep
from webhooks.openapi.schemas import Next, Shape


class Approval(Shape):
    """A vote that counted."""

    actor: str
    name: str
    at: datetime
    why: str
    event_id: str


class Holding(Shape):
    """The interval during which a version held a stage or an alias.

    With the promotion that began it: its approvals, the gates' verdicts and the policy's digest.
    """

    model: str
    kind: Literal["stage", "alias"]
    key: str
    version: int
    since: datetime
    until: datetime | None
    event_id: str
    event_type: str
    actor: str
    actor_name: str
    promotion_id: str | None
    approvals: list[Approval]
    gates: list[dict[str, Any]]
    policy_digest: str | None
    broke_glass: Annotated[bool, Field(description="approved by one person, without the approvals that the rules need")]
    until_because: Annotated[str | None, Field(description="why it ended, if not by another version taking its place")]
    until_event_id: Annotated[str | None, Field(description="the event that ended it; null: it goes on")]
    until_event_type: str | None
    until_by: Annotated[str | None, Field(description="who sent that event")]
    until_reason: Annotated[str | None, Field(description="why, if that event gave a reason")]
    version_created_at: Annotated[
        datetime | None, Field(description="when the version was created in MLflow; null: not known")
    ]
    run_id: Annotated[
        str | None,
        Field(description="of that version; version numbers begin at 1 again in a model that is created again"),
    ]
    reason: Annotated[str | None, Field(description="why, if the event that began it gave a reason")]


class History(Shape):
    """A page of a model's history, newest first."""

    model: str
    history: list[Holding]
    next: Next


class Held(Shape):
    """A stage or an alias that a version holds now."""

    kind: Literal["stage", "alias"]
    key: str
    version: int
    since: datetime


class NotLive(Shape):
    """A version that holds a target, but whose last deployment failed or was not confirmed in time."""

    model: str
    version: int
    target: str
    state: Literal[DeploymentState.FAILED, DeploymentState.TIMED_OUT]
    environment: str | None
    requested_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class Incident(Shape):
    """An entry of the journal that needs attention: a change by hand, quarantine, end of a deployment, or refusal."""

    seq: int
    at: datetime
    kind: str
    model: str | None
    version: int | None
    event_id: str
    by: Annotated[str, Field(description="for people; `by hand`: MLflow does not say by whom")]
    text: Annotated[str, Field(description="a sentence for people")]


class ListedModel(Shape):
    """A registered model that an event was about."""

    model: str
    last_event_at: datetime | None
    open_promotions: int
    holders: list[Held]


class ModelRow(ListedModel):
    """A registered model: its path of targets, the metric that decides, and who must act next."""

    path: list[TargetStep]
    metric: Annotated[MetricTrend | None, Field(description="null: no gate is about a metric")]
    next: NextAct
    changed_at: Annotated[datetime | None, Field(description="when a version was registered, asked for or moved last")]


class Models(Shape):
    """A page of models, by name."""

    models: list[ModelRow]
    next: Next


class ModelPolicy(Shape):
    """The policy in effect for a model."""

    model: str
    entry: Annotated[str | None, Field(description="of `models` in registrar.yml: the most specific one")]
    digest: Annotated[str, Field(description="what approvals are bound to")]
    targets: Annotated[list[str], Field(description="stages, in order")]


class Model(ListedModel):
    """A registered model with its policy and incidents."""

    policy: ModelPolicy
    not_live: list[NotLive]
    incidents: Annotated[list[Incident], Field(description="the newest 50, newest first")]


class OpenPromotion(Shape):
    """A promotion that waits for a time or for approvals, or is approved and not yet promoted."""

    id: str
    target: str
    state: str
    requested_by_name: str
    created_at: datetime
    reason: str | None


class Version(Shape):
    """A model version by the record. null: the record does not have it."""

    model: str
    version: int
    stage: str
    holds: Annotated[list[str], Field(description="stages and @aliases")]
    created_at: Annotated[datetime | None, Field(description="in MLflow")]
    source: str | None
    run_id: str | None
    registered_at: datetime | None
    registered_by: str | None
    event_id: Annotated[str | None, Field(description="of the event that registered it")]
    commit: str | None
    author: Annotated[str | None, Field(description="the run's user, as the registry says")]
    metrics: Annotated[dict[str, float], Field(description="those of its run at registration")]
    tags: Annotated[dict[str, str], Field(description="those that events gave it")]
    deleted: Annotated[bool, Field(description="of a model that was deleted, and created again")]
    held_back: Annotated[dict[str, str], Field(description="why its gates hold it back, by target")]
    quarantined: Annotated[str | None, Field(description="why; `quarantine.lift` ends it")]
    prune_after: Annotated[str | None, Field(description="from then on it may be deleted")]
    dispute: Annotated[str | None, Field(description="why nothing of its model is moved")]
    not_live: list[NotLive]
    promotions: Annotated[list[OpenPromotion], Field(description="those that are open")]


class Part(Shape):
    """A process, or a part that has none (`missing`). seen: its last heartbeat, by the database's clock."""

    name: Literal["receiver", "worker", "beat"]
    status: Literal["alive", "silent", "stuck", "idle", "mismatched", "cut off", "missing"]
    detail: str
    instance: Annotated[str | None, Field(description="host:pid")]
    seen: datetime | None


class Open(Shape):
    """Numbers of open promotions, by state."""

    waiting: int
    awaiting_approval: int
    approved: int


class Overview(Shape):
    """Unfinished tasks, open promotions, failures and processes."""

    unfinished: Annotated[dict[str, int], Field(description="unfinished tasks, by source")]
    oldest: Annotated[datetime | None, Field(description="when the oldest of them was created")]
    promotions: Open
    dead: Annotated[int, Field(description="tasks that failed for good")]
    not_live: list[NotLive]
    incidents: Annotated[list[Incident], Field(description="of the last 24 hours, the newest 20, newest first")]
    parts: Annotated[list[Part], Field(description="receivers, workers and beats, by their heartbeats")]


class PolicyInEffect(Shape):
    """registrar.yml and its SHA-256; with the parameter `digest`, one model's policy that approvals are bound to."""

    digest: str
    document: dict[str, Any]
    model: ModelPolicy | None = None
    text: str | None = None
    used_at: Annotated[datetime | None, Field(description="when it was first used by a request")] = None
    event_id: Annotated[str | None, Field(description="of the event with that request")] = None

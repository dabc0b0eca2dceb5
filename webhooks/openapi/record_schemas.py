"""Schemas of the answers about promotions, models and the policy."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from webhooks.openapi.schemas import Next, Shape

PromotionState = Literal[
    "waiting",
    "awaiting_approval",
    "approved",
    "promoted",
    "rejected",
    "expired",
    "superseded",
    "cancelled",
    "failed",
]


class Voter(Shape):
    """A person of registrar.yml, or source:NAME."""

    id: str
    name: str


class Needed(Shape):
    """One rule of the approval."""

    group: str
    required: int
    missing: Annotated[int, Field(description="approvals that it still lacks")]
    may: Annotated[list[Voter], Field(description="who could still give one, themselves or as a delegate")]


class Excluded(Shape):
    """A person who may not approve. id null: only MLflow knows who that is."""

    id: str | None
    why: str


class Voting(Shape):
    """The state of an approval. All rules must be met, and a person counts for one rule."""

    lacks: Annotated[str, Field(description="for people: 1 more of leads; empty where nothing is missing")]
    impossible: Annotated[str, Field(description="why the rules can't be met any more; empty where they can")]
    reject_needs_reason: bool
    rules: list[Needed]
    may_reject: list[Voter]
    may_break_glass: list[Voter]
    excluded: list[Excluded]


class ItsDeployment(Shape):
    """The deployment that a promotion asked for."""

    id: str
    state: Literal["requested", "live", "failed", "timed_out", "superseded"]
    environment: str | None
    requested_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class Became(Shape):
    """The present state of a finished promotion. quarantined: why its version is quarantined; null: it is not."""

    state: Literal["promoted", "rolled_back", "quarantined", "deployment_failed", "deployment_timed_out"]
    rolled_back_at: datetime | None
    quarantined: str | None
    deployment: ItsDeployment | None


class Promotion(Shape):
    """A request that a version reach a target's stage."""

    id: str
    model: str
    version: int
    target: str
    state: PromotionState
    requested_by: str
    requested_by_name: str
    event_id: Annotated[str, Field(description="of the event that asked for it")]
    reason: str | None
    created_at: datetime
    due_at: Annotated[datetime | None, Field(description="when what it waits for has passed")]
    decided_at: datetime | None
    decided_by: str | None
    broke_glass: bool
    incarnation: Annotated[
        int | None,
        Field(description="the record's number of the version that MLflow had then: a version number can come again"),
    ]
    became: Annotated[Became | None, Field(description="null unless it was promoted")]
    voting: Annotated[Voting | None, Field(description="null where nobody is asked")]


class Promotions(Shape):
    """A page of promotions, newest first."""

    promotions: list[Promotion]
    next: Next


class Vote(Shape):
    """A vote. why: the voter's reason, or why it did not count."""

    actor: str
    actor_name: str
    source: str
    verdict: Literal["approve", "reject"]
    counted: bool
    why: str
    at: datetime
    event_id: str


class WholePromotion(Promotion):
    """A promotion with its evidence and its votes, oldest first."""

    evidence: Annotated[
        dict[str, Any], Field(description="what an approval is bound to: run, model and its digest, gates, policy")
    ]
    votes: list[Vote]


class Held(Shape):
    """A stage or an alias that a version holds now."""

    kind: Literal["stage", "alias"]
    key: str
    version: int
    since: datetime


class NotLive(Shape):
    """A version that holds a target, and whose last deployment failed or was not confirmed in time."""

    model: str
    version: int
    target: str
    state: Literal["failed", "timed_out"]
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
    by: Annotated[str, Field(description="for people; `by hand`: MLflow does not say who")]
    text: Annotated[str, Field(description="a sentence for people")]


class ListedModel(Shape):
    """A registered model that an event was about."""

    model: str
    last_event_at: datetime | None
    open_promotions: int
    holders: list[Held]


class Models(Shape):
    """A page of models, by name."""

    models: list[ListedModel]
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


class Part(Shape):
    """A process, or a part without a process (`missing`). seen: its last heartbeat, by the database's clock."""

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

    unfinished: Annotated[dict[str, int], Field(description="tasks that are not done yet, by source")]
    oldest: Annotated[datetime | None, Field(description="when the oldest of them was made")]
    promotions: Open
    dead: Annotated[int, Field(description="tasks that failed for good")]
    not_live: list[NotLive]
    incidents: Annotated[list[Incident], Field(description="of the last 24 hours, the newest 20, newest first")]
    parts: Annotated[list[Part], Field(description="receivers, workers and beats, by their own word in the ledger")]


class PolicyInEffect(Shape):
    """registrar.yml and the SHA-256 of the whole document.

    Asked by `digest`: the text of one model's policy that approvals are bound to, and its SHA-256.
    """

    digest: str
    document: dict[str, Any]
    model: ModelPolicy | None = None
    text: str | None = None
    used_at: Annotated[datetime | None, Field(description="when something was first asked for under it")] = None
    event_id: Annotated[str | None, Field(description="of the event that asked")] = None

"""Schemas of promotions: the request, the votes, who may still vote, and the deployment."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from registrar.events.states import DeploymentState, PromotionState
from registrar.queries.promotion_steps import StepName, StepState
from webhooks.openapi.schemas import Next, Shape


class Voter(Shape):
    """A person of registrar.yml, or source:NAME."""

    id: str
    name: str


class Approver(Shape):
    """A person whose approval fills a place of a rule."""

    id: str
    name: str
    at: datetime
    delegate_of: Annotated[str | None, Field(description="whose place it is, where another member's")]


class Needed(Shape):
    """One rule of the approval."""

    group: str
    required: int
    missing: Annotated[int, Field(description="approvals that it still lacks")]
    may: Annotated[list[Voter], Field(description="who could still give one, themselves or as a delegate")]
    agreed: list[Approver]


class Excluded(Shape):
    """A person who may not approve. id null: only MLflow knows who that is."""

    id: str | None
    why: str


class Voting(Shape):
    """The state of an approval. All rules must be met, and a person counts for one rule."""

    lacks: Annotated[str, Field(description="for people, such as: 1 more of leads; empty if nothing is missing")]
    impossible: Annotated[str, Field(description="why the rules can't be met any more; empty if they can")]
    reject_needs_reason: bool
    rules: list[Needed]
    may_reject: list[Voter]
    may_break_glass: list[Voter]
    excluded: list[Excluded]


class ItsDeployment(Shape):
    """The deployment that a promotion asked for."""

    id: str
    state: DeploymentState
    environment: str | None
    requested_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class Became(Shape):
    """The present state of a finished promotion. quarantined: why its version is in quarantine; null: it is not."""

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
    event_id: Annotated[str, Field(description="of the event that requested it")]
    reason: str | None
    created_at: datetime
    due_at: Annotated[datetime | None, Field(description="when the time that it waits for has come")]
    decided_at: datetime | None
    decided_by: str | None
    broke_glass: bool
    incarnation: Annotated[
        int | None,
        Field(description="tells versions apart that had the same number in MLflow at different times"),
    ]
    became: Annotated[Became | None, Field(description="null unless it was promoted")]
    voting: Annotated[Voting | None, Field(description="null where no approval is needed")]


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


class Step(Shape):
    """A step of a promotion, of those that its target has."""

    name: StepName
    state: StepState
    at: Annotated[
        datetime | None, Field(description="when it was done or ended; of a step in the state now, when it is due")
    ]
    detail: str


class TimeGate(Shape):
    """A gate that time opens."""

    gate: str
    until: Annotated[datetime | None, Field(description="when it opens; null: it is open")]
    reason: str


class Deadline(Shape):
    """What happens by itself if nobody decides."""

    name: Literal["expire", "escalate", "remind"]
    text: str
    at: datetime


class WholePromotion(Promotion):
    """A promotion with its evidence, its votes, oldest first, and its steps."""

    evidence: Annotated[
        dict[str, Any], Field(description="what an approval is bound to: run, model and its digest, gates, policy")
    ]
    votes: list[Vote]
    steps: list[Step]
    time_gates: Annotated[list[TimeGate], Field(description="empty once it has ended")]
    deadlines: list[Deadline]

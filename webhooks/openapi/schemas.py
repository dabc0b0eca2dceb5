"""Schemas of the API's answers: published in /openapi.json, and checked by webhooks/api/responses.py."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from webhooks.ingress.errors import Rejected

Next = Annotated[str | None, Field(description="the cursor of the page after this one; null: it was the last")]
State = Literal["queued", "running", "succeeded", "refused", "failed", "dead", "dropped"]


class Shape(BaseModel):
    """An answer that has all of its fields, and no others."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True, defer_build=True)


class AcceptedEvent(Shape):
    """An accepted event; status_url shows its progress."""

    id: str
    type: str
    status_url: str


class Receipt(BaseModel):
    """The events are on disk. Answers to chat systems have other fields, which they show to people."""

    model_config = ConfigDict(extra="allow")

    events: list[AcceptedEvent] = []


class Fact(Shape):
    """A fact that a task left behind. text: a sentence for people. to: channels notified beside those of the routes."""

    type: str
    text: str
    model: str | None
    version: int | None
    details: dict[str, Any]
    to: list[str] = []


class Outcome(Shape):
    """The outcome of a task."""

    summary: str
    facts: list[Fact]


class Was(Shape):
    """How a task had ended before it was retried or dropped."""

    state: Literal["queued", "failed", "dead"]
    error: str | None
    attempts: int
    crashes: int
    finished_at: datetime | None


class Deed(Shape):
    """An intervention: an event about another event or its task."""

    type: Literal["task.retry", "task.drop", "event.replay"]
    event_id: str
    at: datetime
    source: str
    actor: str
    actor_name: str
    reason: str | None


class Settled(Deed):
    """A retry or a drop of a dead letter, or the drop of a task that waited."""

    was: Was


class Replay(Deed):
    """An event that was sent again."""

    became: Annotated[str, Field(description="the new event's id")]


class Task(Shape):
    """One Celery task of an event."""

    id: str
    name: str
    state: State
    attempts: int
    not_before: datetime
    outcome: Outcome | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    settled: Annotated[list[Settled], Field(description="oldest first")]


class _Event(Shape):
    """An event as it was accepted; state is the worst of its tasks'."""

    id: str
    type: str
    model: str | None
    source: str
    actor: str
    actor_name: str
    occurred_at: datetime
    accepted_at: datetime
    data: dict[str, Any]
    state: Literal["unfinished", "succeeded", "refused", "dropped", "failed", "dead"]


class ListedEvent(_Event):
    """An event in a list."""


class Event(_Event):
    """An event with its tasks and replays."""

    replay_of: Annotated[str | None, Field(description="the id of the event that this one repeats")]
    replays: Annotated[list[Replay], Field(description="oldest first")]
    refused: Annotated[bool, Field(description="what was asked for was refused, or a vote did not count")]
    tasks: list[Task]


class ItsTask(Shape):
    """The state of one task of an event."""

    name: str
    state: State


class EventProgress(Shape):
    """The progress of an event, for clients that have its id and are no viewers."""

    id: str
    type: str
    state: Literal["unfinished", "succeeded", "refused", "dropped", "failed", "dead"]
    refused: bool
    tasks: list[ItsTask]


class Events(Shape):
    """A page of events, newest first."""

    events: list[ListedEvent]
    next: Next


class DeadTask(Shape):
    """A task that failed for good (failed) or used up its time and attempts (dead), with its event's actor."""

    id: str
    name: str
    state: State
    lane: str
    args: dict[str, Any]
    attempts: int
    crashes: Annotated[int, Field(description="how often its worker died")]
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    model: str | None
    actor: str
    actor_name: str
    source: str
    accepted_at: datetime
    event_id: str
    event_type: str


class Dead(Shape):
    """A page of dead letters, newest first."""

    dead: list[DeadTask]
    next: Next


class Story(DeadTask):
    """A dead letter with its event, and why it can't be retried or dropped, if so."""

    no_retry: Annotated[str | None, Field(description="why it can't be tried again, and what would be right")]
    no_drop: Annotated[str | None, Field(description="why it can't be dropped")]
    event: Event


class QueuedTask(Shape):
    """A queued or running task, with its event's actor."""

    id: str
    name: str
    state: State
    lane: str
    attempts: int
    error: Annotated[str | None, Field(description="of the last attempt")]
    not_before: datetime
    created_at: datetime
    model: str | None
    actor: str
    actor_name: str
    source: str
    event_id: str
    event_type: str
    why: Annotated[str, Field(description="what it waits for, or who is at it")]


class Queue(Shape):
    """A page of the queue, lane by lane, in order of execution."""

    queue: list[QueuedTask]
    next: Next


class Rejection(Shape):
    """A refused request. Beyond 100 in a minute, one row counts the others (code and_more)."""

    seq: int
    at: datetime
    source: str
    status: int
    code: str
    detail: str
    size: Annotated[int | None, Field(description="bytes of its body")]


class Rejections(Shape):
    """A page of rejections, newest first."""

    rejections: list[Rejection]
    next: Next


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
    broke_glass: Annotated[bool, Field(description="approved by one person, past the rules")]
    until_because: Annotated[str | None, Field(description="why it ended, where no move ended it")]
    version_created_at: Annotated[datetime | None, Field(description="when MLflow made that version; null: not known")]
    run_id: Annotated[
        str | None, Field(description="of that version; in a model that is created again, version numbers begin at 1")
    ]


class History(Shape):
    """A page of a model's history, newest first."""

    model: str
    history: list[Holding]
    next: Next


class Alive(Shape):
    """The process answers."""

    status: Literal["alive"]


class Check(Shape):
    """The check of one part. fail: the receiver is not ready."""

    status: Literal["pass", "warn", "fail"]
    detail: str


class Ready(Shape):
    """The receiver can accept events. Only an excluded part may fail here."""

    status: Literal["ready"]
    checks: dict[str, Check]


class Consent(Shape):
    """The answer to CloudEvents' handshake; the headers say the same."""

    allowed: str
    rate: Annotated[int, Field(description="requests per minute")]


class FieldError(Shape):
    """One wrong or missing field."""

    field: str
    message: str


class Problem(BaseModel):
    """https://www.rfc-editor.org/rfc/rfc9457"""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="what was wrong, and what would be right")]
    code: Annotated[str, Field(description="for machines; the page lists them")]
    errors: Annotated[list[FieldError], Field(description="where single fields are wrong")] = []
    checks: Annotated[dict[str, Check], Field(description="of /readyz: what was found of each part")] = {}


def refusals() -> list[type[Rejected]]:
    """Return the classes of refusals that have a code of their own, by status."""
    found = [kind for kind in _descendants(Rejected) if "code" in vars(kind)]
    return sorted(found, key=lambda kind: (kind.status, kind.code))


def _descendants(kind: type[Rejected]) -> list[type[Rejected]]:
    return [one for each in kind.__subclasses__() for one in (each, *_descendants(each))]

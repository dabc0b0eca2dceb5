"""Schemas of events, their tasks and outcomes, dead letters, the queue and rejections."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from registrar.events.states import EventState, TaskState
from webhooks.openapi.schemas import Next, Shape


class Fact(Shape):
    """A fact that a task left behind. text: a sentence for people. to: channels notified beside those of the routes."""

    type: str
    text: str
    model: str | None
    version: int | None
    details: dict[str, Any]
    to: list[str] = []


class Outcome(Shape):
    """The outcome of a task. answer: to a registry.query: a table's title, columns, rows and more, or a plan."""

    summary: str
    facts: list[Fact]
    answer: dict[str, Any] | None = None


class Was(Shape):
    """The state of a task before it was retried or dropped."""

    state: Literal[TaskState.QUEUED, TaskState.FAILED, TaskState.DEAD]
    error: str | None
    attempts: int
    crashes: int
    finished_at: datetime | None


class Deed(Shape):
    """An intervention: a retry, a drop or a replay, by an event of its own."""

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
    state: TaskState
    attempts: int
    not_before: datetime
    outcome: Outcome | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    settled: Annotated[list[Settled], Field(description="oldest first")]


class _Event(Shape):
    """An accepted event. state: the worst of its tasks'."""

    id: str
    type: str
    model: str | None
    source: str
    actor: str
    actor_name: str
    occurred_at: datetime
    accepted_at: datetime
    data: dict[str, Any]
    state: EventState


class ListedEvent(_Event):
    """An event in a list."""


class Event(_Event):
    """An event with its tasks and replays."""

    replay_of: Annotated[str | None, Field(description="the id of the event that this one repeats")]
    replays: Annotated[list[Replay], Field(description="oldest first")]
    refused: Annotated[bool, Field(description="the request was refused, or a vote did not count")]
    archived: Annotated[
        datetime | None,
        Field(
            description="when its tasks, which had all succeeded, were moved into an archive file; null: they are here"
        ),
    ]
    tasks: list[Task]


class ItsTask(Shape):
    """The state of one task of an event."""

    name: str
    state: TaskState


class EventProgress(Shape):
    """The progress of an event, for clients that have its id but not the role viewer."""

    id: str
    type: str
    state: EventState
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
    state: TaskState
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
    """A dead letter with its event."""

    no_retry: Annotated[str | None, Field(description="why it can't be retried, and what to do instead; null: it can")]
    no_drop: Annotated[str | None, Field(description="why it can't be dropped; null: it can")]
    event: Event


class QueuedTask(Shape):
    """A queued or running task, with its event's actor."""

    id: str
    name: str
    state: TaskState
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
    why: Annotated[str, Field(description="what it waits for, or which worker runs it")]


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

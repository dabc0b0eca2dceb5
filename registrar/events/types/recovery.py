"""Events about what went before: work that could not be done is tried again or dropped, an event is sent again.

Each names the model that the other event is about: what a source's grant is judged by. Where that one is about no
model, none is named, and the grant must be for all.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from registrar.events.types.terms import Data, ModelName, Text

TaskId = Annotated[str, StringConstraints(pattern=r"^tsk_[0-9a-f]{32}$(?!\n)")]
EventId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{32}$(?!\n)")]
Model = Annotated[ModelName | None, Field(description="that the other event is about; left out where it is about none")]


class _OfTask(Data):
    """About one task that failed or is dead, or of a drop: that waits."""

    pressing = True

    task_id: TaskId
    model: Model = None

    def lane(self, event_id: str) -> str:
        """One after the other for one task, and waiting for nothing else: its model's lane may be the trouble."""
        return f"task:{self.task_id}"


class TaskRetry(_OfTask):
    """Try work again that failed for good: at its old place in its lane, with a fresh budget of time and attempts."""

    type = "task.retry"
    task = "worker.retry"

    reason: Text | None = None


class TaskDrop(_OfTask):
    """Leave work undone that failed for good, or that waits for its turn: it is never begun, and in nobody's way."""

    type = "task.drop"
    task = "worker.discard_task"

    reason: Annotated[Text, Field(min_length=1, description="why it may stay undone; it is kept in the record")]


class EventReplay(Data):
    """Send an accepted event again, as a new one of whoever replays it: judged as if they sent it now."""

    type = "event.replay"
    task = "worker.resend"
    pressing = True

    event_id: EventId
    model: Model = None
    reason: Text | None = None
    plan: bool = Field(False, description="only say what would come of it, and do nothing")

    def lane(self, event_id: str) -> str:
        """It waits for nothing; the event that it sends has its place behind all accepted before."""
        return f"event:{event_id}"

"""Events about earlier ones: a failed task is tried again or dropped, an event is sent again.

Each names the model of the earlier event, which decides about the source's grant. If that event is about no model, none
is named, and the grant must be for all models.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from registrar.events.types.terms import Data, ModelName, Text

TaskId = Annotated[str, StringConstraints(pattern=r"^tsk_[0-9a-f]{32}$(?!\n)")]
EventId = Annotated[str, StringConstraints(pattern=r"^evt_[0-9a-f]{32}$(?!\n)")]
Model = Annotated[ModelName | None, Field(description="the model of the earlier event; left out where it has none")]


class _AboutTask(Data):
    """An event about one task that failed or is dead; a drop may also be about a queued one."""

    pressing = True

    task_id: TaskId
    model: Model = None

    def lane(self, event_id: str) -> str:
        """Return a lane per task: they wait for nothing in the model's lane, which the task itself may block."""
        return f"task:{self.task_id}"


class TaskRetry(_AboutTask):
    """Try a failed or dead task again, at its place in its lane, with a new budget of time and attempts."""

    type = "task.retry"
    task = "worker.retry"

    reason: Text | None = None


class TaskDrop(_AboutTask):
    """Close a failed or dead task, or one that waits for its turn and then never begins."""

    type = "task.drop"
    task = "worker.discard_task"

    reason: Annotated[Text, Field(min_length=1, description="why it may stay undone; it is kept in the record")]


class EventReplay(Data):
    """Send an accepted event again, as a new event, whose author must be allowed to send it now."""

    type = "event.replay"
    task = "worker.resend"
    pressing = True

    event_id: EventId
    model: Model = None
    reason: Text | None = None
    plan: bool = Field(False, description="only say what would come of it, and do nothing")

    def lane(self, event_id: str) -> str:
        """Return a lane of its own: it waits for nothing. The new event comes after all events accepted before."""
        return f"event:{event_id}"

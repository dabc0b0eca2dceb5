"""What the broker carries. Apart from celery_app.py, so that a program that only reads the ledger loads no Celery."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TaskMessage:
    """One Celery message: the task's id and its Celery name. lane, event_id: the task's, where known; not sent."""

    task_id: str
    name: str
    lane: str = field(default="", compare=False)
    event_id: str = field(default="", compare=False)

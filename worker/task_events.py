"""Celery's task events for a task that a worker runs without a message, so that Flower shows each task by its name."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError

from registrar.broker.task_message import TaskMessage

log = logging.getLogger(__name__)


@contextmanager
def task_events(app: Celery, task_message: TaskMessage) -> Iterator[None]:
    """Send the events that Celery sends of a task of its own. Without the broker, none.

    https://docs.celeryq.dev/en/stable/userguide/monitoring.html#task-events
    """
    began = time.perf_counter()
    about = {"name": task_message.name, "args": f"('{task_message.task_id}',)", "kwargs": "{}", "retries": 0}
    _send(app, task_message, "task-received", about)
    _send(app, task_message, "task-started", {})
    yield
    _send(app, task_message, "task-succeeded", {"result": "None", "runtime": time.perf_counter() - began})


def _send(app: Celery, task_message: TaskMessage, type_: str, fields: dict[str, Any]) -> None:
    current = app.current_task
    host = current.request.hostname if current else None
    try:
        with app.events.default_dispatcher(hostname=host) as events:
            events.send(type_, uuid=task_message.task_id, **fields)
    except (KombuError, OSError) as error:
        log.debug("%s of %s was not sent: %s", type_, task_message.task_id, error)

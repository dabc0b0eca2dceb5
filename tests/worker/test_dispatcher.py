"""A worker publishes what a busy receiver sends in one message: the first task of each lane."""

import json

from registrar.broker.celery_app import QUEUE, celery_app
from registrar.broker.task_message import TaskMessage
from tests.broker import Broker
from worker import dispatcher
from worker.context import WorkerContext


def published(broker: Broker) -> list[str]:
    """Task ids, in the order in which workers take them."""
    messages = map(json.loads, broker.client.lrange(QUEUE, 0, -1))
    return [message["headers"]["id"] for message in messages][::-1]


def context_with(harness, broker: Broker) -> WorkerContext:
    return WorkerContext(**{**harness.context.__dict__, "app": celery_app(broker.url)})


def accepted(harness, *models: str) -> list[TaskMessage]:
    for model in models:
        harness.accept("training_run.failed", model=model)
    return harness.due()


def test_of_a_burst_the_first_task_of_each_lane_is_published(harness, broker):
    task_messages = accepted(harness, *["taxi", "fraud"] * 3)
    dispatcher.publish_batch(context_with(harness, broker), task_messages)
    assert published(broker) == [task_message.task_id for task_message in task_messages[:2]]


def test_a_batch_that_comes_again_publishes_only_tasks_that_are_still_queued(harness, broker):
    task_messages = accepted(harness, "taxi", "fraud")
    harness.run(task_messages[0])
    dispatcher.publish_batch(
        context_with(harness, broker), [*task_messages, TaskMessage("tsk_of_nobody", "worker.register")]
    )
    assert published(broker) == [task_messages[1].task_id]

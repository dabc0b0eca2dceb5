"""The doorbell: Celery carries task ids only; what is to be done stands in the ledger.

A lost bell is rung again by the sweep, a doubled one finds nothing to claim. Publishing is by name:
the receiver never imports the worker.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError
from kombu.transport import TRANSPORT_ALIASES

from registrar.broker.url import TRANSPORTS, Broker

log = logging.getLogger(__name__)

QUEUE = "registrar"
PUBLISH_BATCH = "worker.publish_batch"


@dataclass(frozen=True)
class TaskMessage:
    """One Celery message: the task's id and its Celery name."""

    task_id: str
    name: str


def celery_app(broker_url: str, *, timeout: float = 5.0, patient: bool = True) -> Celery:
    """The Celery app of every process. timeout: seconds that the broker may keep us waiting. Raises BrokerUrlError.

    patient False: one try to connect, for those who have somebody waiting. Else kombu tries for 6 s.
    A result backend and countdowns are not used, the ledger has both.
    """
    broker = Broker.parse(broker_url)
    TRANSPORT_ALIASES.update(TRANSPORTS)
    app = Celery("registrar", broker=broker.url, set_as_current=False)
    app.conf.update(
        **broker.settings(timeout=timeout, patient=patient),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        # Who can write to the broker could stop workers and revoke tasks. Its queue on RabbitMQ is exclusive, too: a
        # worker that comes back over a new link, while RabbitMQ has not given up the old one, would be refused and end.
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=10,
        worker_hijack_root_logger=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def publish_batch(app: Celery, task_messages: Sequence[TaskMessage]) -> bool:
    """Publish one message for many bells, which a worker rings: to make a message costs more than to accept an event.
    False if the broker can't be reached: the sweep will ring them.
    """
    names = [(task_message.task_id, task_message.name) for task_message in task_messages]
    try:
        with app.producer_or_acquire() as producer:
            app.send_task(
                PUBLISH_BATCH, (names,), producer=producer, argsrepr=f"({len(names)} bells,)", kwargsrepr="{}"
            )
    except (KombuError, OSError) as error:
        _unreachable(error, len(names))
        return False
    return True


def publish(app: Celery, task_messages: Iterable[TaskMessage]) -> bool:
    """Publish bells over one kept connection, to Redis all in one go. False if the broker can't be reached: the sweep
    will ring them.
    """
    if not (rung := list(task_messages)):
        return True
    try:
        with app.producer_or_acquire() as producer, producer.batch(len(rung)):
            for task_message in rung:
                app.send_task(
                    task_message.name,
                    (task_message.task_id,),
                    task_id=task_message.task_id,
                    producer=producer,
                    argsrepr=f"('{task_message.task_id}',)",  # finding out how to show it costs Celery a tenth
                    kwargsrepr="{}",
                )
    except (KombuError, OSError) as error:
        _unreachable(error, len(rung))
        return False
    return True


def _unreachable(error: Exception, task_messages: int) -> None:
    log.warning("the broker does not answer (%s); %d task(s) wait for the sweep", error, task_messages)


def queued_messages(app: Celery) -> int | None:
    """How many messages wait at the broker; None where it does not say. 0: what was rung is in a worker's hands, or
    lost.

    Over a connection of its own: of one that broke, kombu's Redis transport can't make a good one again.
    """
    connection: Any = app.connection_for_write()
    with connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0)
            with connection.channel() as channel:
                return int(channel.queue_declare(QUEUE, passive=True).message_count)
        except connection.channel_errors:  # there is no queue
            return 0
        except (*connection.connection_errors, OperationalError, OSError) as error:
            log.warning("the broker does not say what it has: %s", error)
            return None

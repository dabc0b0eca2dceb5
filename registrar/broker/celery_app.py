"""The Celery app, and publishing. Messages carry task ids only; the tasks themselves are in the ledger.

The sweep publishes a lost message again; a duplicate finds nothing to claim. Tasks are published by name, so that the
receiver never imports the worker.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError
from kombu.transport import TRANSPORT_ALIASES

from registrar.broker.task_message import TaskMessage
from registrar.broker.url import TRANSPORTS, Broker

log = logging.getLogger(__name__)

QUEUE = "registrar"
PUBLISH_BATCH = "worker.publish_batch"


def celery_app(broker_url: str, *, timeout: float = 5.0, patient: bool = True) -> Celery:
    """Return the Celery app of a process. timeout: seconds to wait for the broker. Raises BrokerUrlError.

    patient False: try to connect once, as a sender waits; else kombu tries for 6 s. Result backend and countdowns are
    not used: the ledger has results and times.
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
        # With remote control, anyone who can write to the broker could stop workers and revoke tasks. Its queue on
        # RabbitMQ is exclusive, too: a worker that reconnects before RabbitMQ gave up the old connection would end.
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=10,
        worker_hijack_root_logger=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def publish_batch(app: Celery, task_messages: Sequence[TaskMessage]) -> bool:
    """Publish one message with many task ids; a worker publishes each of them, as a message costs more than accepting
    an event. Returns False if the broker can't be reached; the sweep publishes them later.
    """
    names = [(task_message.task_id, task_message.name) for task_message in task_messages]
    try:
        with app.producer_or_acquire() as producer:
            app.send_task(
                PUBLISH_BATCH, (names,), producer=producer, argsrepr=f"({len(names)} tasks,)", kwargsrepr="{}"
            )
    except (KombuError, OSError) as error:
        _log_unreachable(error, len(names))
        return False
    return True


def publish(app: Celery, task_messages: Iterable[TaskMessage]) -> bool:
    """Publish messages over a pooled connection, to Redis in one batch. Returns False if the broker can't be reached;
    the sweep publishes them later.
    """
    if not (pending := list(task_messages)):
        return True
    try:
        with app.producer_or_acquire() as producer, producer.batch(len(pending)):
            for task_message in pending:
                app.send_task(
                    task_message.name,
                    (task_message.task_id,),
                    task_id=task_message.task_id,
                    producer=producer,
                    argsrepr=f"('{task_message.task_id}',)",  # Celery's own repr takes a tenth of the time
                    kwargsrepr="{}",
                )
    except (KombuError, OSError) as error:
        _log_unreachable(error, len(pending))
        return False
    return True


def _log_unreachable(error: Exception, task_messages: int) -> None:
    log.warning("the broker does not answer (%s); %d task(s) wait for the sweep", error, task_messages)


def queued_messages(app: Celery) -> int | None:
    """Count the messages in the queue; None: the broker does not say. 0: all messages were taken, or lost.

    Uses a connection of its own, as kombu's Redis transport can't repair a broken one.
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

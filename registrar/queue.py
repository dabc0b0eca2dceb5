"""The doorbell: Celery on Redis carries task ids only; what is to be done stands in the ledger.

A lost bell is rung again by the sweep, a doubled one finds nothing to claim. Publishing is by name:
the receiver never imports the worker.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from celery import Celery
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

QUEUE = "registrar"
VISIBILITY_TIMEOUT = 60


@dataclass(frozen=True)
class Bell:
    """One Celery message: the task's id and its Celery name."""

    task_id: str
    name: str


def celery_app(broker_url: str, *, timeout: float = 5.0, patient: bool = True) -> Celery:
    """The Celery app of every process. timeout: seconds that the broker may keep us waiting.

    patient False: one try to connect, for those who have somebody waiting. Else kombu tries for 6 s.

    Settings: without socket timeouts a half-open link hangs both sides for ever; without the short
    restore interval a message of a killed worker comes back after 60 + 100 s; a result backend and
    countdowns are not used, the ledger has both.
    """
    app = Celery("registrar", broker=broker_url, set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
            "socket_timeout": timeout,
            "socket_connect_timeout": min(timeout, 2.0),
            "socket_keepalive": True,
            "health_check_interval": 10,
            "priority_steps": [0],
            **({} if patient else {"max_retries": 0}),
        },
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=10,
        worker_hijack_root_logger=False,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def ring(app: Celery, bells: Iterable[Bell]) -> bool:
    """Publish bells over one kept connection. False if the broker can't be reached: the sweep will ring them."""
    if not (waiting := list(bells)):
        return True
    try:
        with app.producer_or_acquire() as producer:
            for bell in waiting:
                app.send_task(bell.name, (bell.task_id,), task_id=bell.task_id, producer=producer, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("the broker does not answer (%s); %d task(s) wait for the sweep", error, len(waiting))
        return False
    return True

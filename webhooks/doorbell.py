"""Rings for the workers after a commit, without ever keeping a sender waiting for a broker that is down."""

import time
from collections.abc import Iterable

from celery import Celery
from kombu.exceptions import OperationalError

from registrar.queue import Bell, celery_app, ring

TIMEOUT = 1  # second; Slack waits for 3
PAUSE = 5.0  # after a failure; meanwhile the sweep rings


class Doorbell:
    """Shared by all threads. A broker that did not answer is not asked again for PAUSE seconds."""

    def __init__(self, broker_url: str) -> None:
        self._app: Celery = celery_app(broker_url, timeout=TIMEOUT, patient=False)
        self._silent_until = 0.0

    def ring(self, bells: Iterable[Bell]) -> None:
        """Best effort: what is not rung here is rung by the sweep."""
        if time.monotonic() < self._silent_until:
            return
        if not ring(self._app, bells):
            self._silent_until = time.monotonic() + PAUSE

    def answers(self) -> bool:
        """Whether the broker can be reached now, over a connection of its own."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=TIMEOUT)
        except (OperationalError, OSError):
            return False
        return True

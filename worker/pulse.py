"""Writes every 10 s that a process is alive, and when a doorbell last passed through its hands."""

import logging
import os
import socket
import threading
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from types import TracebackType
from typing import Self

from celery.signals import after_task_publish, task_postrun, task_prerun
from sqlalchemy.exc import SQLAlchemyError

from registrar.ledger import Ledger, LedgerUnavailable, heartbeats
from registrar.ledger.engine import now
from registrar.ledger.heartbeats import EVERY, Heartbeat

log = logging.getLogger(__name__)


class Pulse:
    """A context manager around the life of a process. part: worker or beat.

    The thread that writes shares nothing with Celery's loop: a ledger that is down or slow holds up no work, and a
    loop that stalls is seen by the age of its last doorbell.
    """

    def __init__(self, ledger: Ledger, part: str) -> None:
        self._ledger = ledger
        self._own = Heartbeat(part, f"{socket.gethostname()}:{os.getpid()}", version("mlflow-registrar"), now(), now())
        self._last_bell_at: datetime | None = None
        self._in_hand = 0
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pulse", daemon=True)

    def taken(self, **_: object) -> None:
        """A doorbell came from the broker, and its task begins."""
        with self._lock:
            self._in_hand += 1
            self._last_bell_at = now()

    def done(self, **_: object) -> None:
        with self._lock:
            self._in_hand -= 1

    def rung(self, **_: object) -> None:
        """A doorbell went to the broker."""
        self._last_bell_at = now()

    def write(self) -> None:
        """One heartbeat. A ledger that can't take it is no error: who reads it there can't be told anyway."""
        said = replace(self._own, seen_at=now(), last_bell_at=self._last_bell_at, in_hand=self._in_hand)
        try:
            with self._ledger.write() as connection:
                heartbeats.beat(connection, said)
        except (LedgerUnavailable, SQLAlchemyError) as error:
            log.warning("the ledger takes no heartbeat: %s", error)

    def _keep(self) -> None:
        self.write()
        while not self._done.wait(EVERY):
            self.write()

    def __enter__(self) -> Self:
        if self._own.part == "worker":
            task_prerun.connect(self.taken)
            task_postrun.connect(self.done)
        else:
            after_task_publish.connect(self.rung)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=EVERY)
        try:
            with self._ledger.write() as connection:
                heartbeats.stopped(connection, self._own)
        except (LedgerUnavailable, SQLAlchemyError) as failed:
            log.warning("the ledger is not told that this %s stopped: %s", self._own.part, failed)

"""Tells the ledger every 10 s that a process is alive, and this machine every second (liveness.py)."""

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings
from registrar.ledger import Ledger, LedgerUnavailable, heartbeats
from registrar.ledger.engine import now
from registrar.ledger.heartbeats import EVERY, Heartbeat
from registrar.ledger.tasks import LEASE_SECONDS
from registrar.policy import Policy
from registrar.queries import policy_view
from registrar.telemetry.liveness import LivenessFile, LoopActivity

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Digests:
    """What a process works with, as digests that are compared with those of the others."""

    keys: str | None = None
    config: str | None = None

    @classmethod
    def of(cls, settings: Settings, policy: Policy | None = None) -> Self:
        """policy None: registrar.yml is none of its business. Raises ValueError for what is no key."""
        return cls(",".join(Encryptor(settings.secret_key).digests), policy_view.digest(policy) if policy else None)


class HeartbeatWriter:
    """A context manager around the life of a process. part: receiver, worker or beat.

    The thread that writes shares nothing with the process's loop: a ledger that is down or slow holds up no work, and
    a loop that stalls is seen by the age of its last turn.
    """

    def __init__(self, ledger: Ledger, part: str, given: Digests | None = None) -> None:
        self.loop = LoopActivity()
        self._ledger, self._part = ledger, part
        self._given = given or Digests()
        self._sign = LivenessFile(part, ledger.url, self.loop)
        self._clock_is_wrong = False
        self._began = time.monotonic()
        self._started_at: datetime | None = None  # by the database
        self._told: dict[str, tuple[float, datetime]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pulse", daemon=True)

    @property
    def _instance(self) -> str:
        """Of the process that asks: it may have been forked since."""
        return f"{socket.gethostname()}:{os.getpid()}"

    def write(self) -> None:
        """One heartbeat. A ledger that can't take it is no error: who reads it there can't be told anyway."""
        try:
            with self._ledger.write() as connection:
                if self._started_at is None:
                    self._replace(connection)
                heartbeats.beat(connection, self._build_heartbeat(connection))
        except (LedgerUnavailable, SQLAlchemyError) as error:
            log.warning("the ledger takes no heartbeat: %s", error)

    def more(self) -> dict[str, Any]:
        """What a part says beyond what all do: columns of Heartbeat."""
        return {}

    def every(self) -> float:
        return EVERY

    def _build_heartbeat(self, connection: Connection) -> Heartbeat:
        before = now()
        at = heartbeats.time_of(connection)
        ahead = None if connection.dialect.name == "sqlite" else (before + (now() - before) / 2 - at).total_seconds()
        self._compare_clocks(ahead)
        times = {name: self._by_database(name, mark, at) for name, mark in self.marks().items()}
        self._started_at = times.pop("started_at")
        said = Heartbeat(self._part, self._instance, version("mlflow-registrar"), self._started_at, at)
        more: dict[str, Any] = {**times, **self.more()}
        return replace(said, clock_ahead=ahead, keys=self._given.keys, config=self._given.config, **more)

    def _compare_clocks(self, ahead: float | None) -> None:
        """The log says when this machine's clock goes wrong, and when it is right again."""
        wrong = ahead is not None and abs(ahead) > LEASE_SECONDS
        if wrong and not self._clock_is_wrong:
            way = "ahead of" if (ahead or 0) > 0 else "behind"
            log.warning("this machine's clock is %.0f s %s the database's: let NTP set both", abs(ahead or 0), way)
        elif self._clock_is_wrong and not wrong:
            log.info("this machine's clock agrees with the database's again")
        self._clock_is_wrong = wrong

    def _by_database(self, name: str, mark: float, at: datetime) -> datetime:
        """The same for as long as the mark is."""
        if name not in self._told or self._told[name][0] != mark:
            self._told[name] = (mark, at - timedelta(seconds=time.monotonic() - mark))
        return self._told[name][1]

    def marks(self) -> dict[str, float]:
        """Columns of Heartbeat that are times, by the monotonic clock."""
        return {"started_at": self._began, "turned_at": self.loop.mark}

    def _replace(self, connection: Connection) -> None:
        """Forget those whose place this process takes: of its part and host, and gone."""
        for one in heartbeats.all_known(connection):
            if (one.part, one.host) == (self._part, self._instance.rpartition(":")[0]) and _has_ended(one):
                heartbeats.forget(connection, one)

    def _keep(self) -> None:
        self.write()
        while not self._done.wait(self.every()):
            self.write()

    def start(self) -> None:
        """Returns at once."""
        self._sign.start()
        self._thread.start()

    def stop(self) -> None:
        """In good order: nobody is to miss this process."""
        self._done.set()
        if not self._thread.is_alive():
            return
        self._sign.stop()
        self._thread.join(timeout=self.every())
        if self._started_at is None:
            return
        own = Heartbeat(self._part, self._instance, "", self._started_at, self._started_at)
        try:
            with self._ledger.write() as connection:
                heartbeats.stopped(connection, own)
        except (LedgerUnavailable, SQLAlchemyError) as failed:
            log.warning("the ledger is not told that this %s stopped: %s", self._part, failed)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _has_ended(one: Heartbeat) -> bool:
    """Whether this machine has no such process any more. A number that another process got is taken for it."""
    pid = one.instance.rpartition(":")[2]
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return True
    except OSError:
        return False
    return False

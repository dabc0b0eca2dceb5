"""Write heartbeats: to the ledger every 10 s, to a local file every second (liveness.py)."""

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

from registrar.config.encryption import Encryptor
from registrar.config.settings import Settings
from registrar.ledger import Connection, Ledger, heartbeats
from registrar.ledger.engine import TRANSACTION_ERRORS, now
from registrar.ledger.heartbeats import EVERY, Heartbeat
from registrar.ledger.tasks import LEASE_SECONDS
from registrar.policy import Policy
from registrar.queries import policy_view
from registrar.telemetry.liveness import LivenessFile, LoopActivity

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Digests:
    """Digests of a process's secret keys and registrar.yml, to be compared with those of the others."""

    keys: str | None = None
    config: str | None = None

    @classmethod
    def of(cls, settings: Settings, policy: Policy | None = None) -> Self:
        """policy None: the process does not use registrar.yml. Raises ValueError for an invalid key."""
        return cls(",".join(Encryptor(settings.secret_key).digests), policy_view.digest(policy) if policy else None)


class HeartbeatWriter:
    """Write the heartbeats of a process, as a context manager around its life. part: receiver, worker or beat.

    They are written in a thread of their own: a slow ledger delays no work, and a stalled loop shows by the time of its
    last turn.
    """

    def __init__(self, ledger: Ledger, part: str, digests: Digests | None = None) -> None:
        self.loop = LoopActivity()
        self._ledger, self._part = ledger, part
        self._digests = digests or Digests()
        self._liveness = LivenessFile(part, ledger.url, self.loop)
        self._clock_is_wrong = False
        self._began = time.monotonic()
        self._started_at: datetime | None = None  # by the database
        self._converted: dict[str, tuple[float, datetime]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="heartbeat", daemon=True)

    @property
    def _instance(self) -> str:
        """host:pid of the calling process, which may have been forked since."""
        return f"{socket.gethostname()}:{os.getpid()}"

    def write(self) -> None:
        """Write one heartbeat. An unavailable ledger is only logged."""
        try:
            with self._ledger.write() as connection:
                if self._started_at is None:
                    self._replace(connection)
                heartbeats.beat(connection, self._build_heartbeat(connection))
        except TRANSACTION_ERRORS as error:
            log.warning("the ledger takes no heartbeat: %s", error)

    def more(self) -> dict[str, Any]:
        """Return further columns of Heartbeat that a part reports."""
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
        heartbeat = Heartbeat(self._part, self._instance, version("mlflow-registrar"), self._started_at, at)
        more: dict[str, Any] = {**times, **self.more()}
        return replace(heartbeat, clock_ahead=ahead, keys=self._digests.keys, config=self._digests.config, **more)

    def _compare_clocks(self, ahead: float | None) -> None:
        """Log when this machine's clock goes wrong, and when it is right again."""
        wrong = ahead is not None and abs(ahead) > LEASE_SECONDS
        if wrong and not self._clock_is_wrong:
            way = "ahead of" if (ahead or 0) > 0 else "behind"
            log.warning("this machine's clock is %.0f s %s the database's: let NTP set both", abs(ahead or 0), way)
        elif self._clock_is_wrong and not wrong:
            log.info("this machine's clock agrees with the database's again")
        self._clock_is_wrong = wrong

    def _by_database(self, name: str, mark: float, at: datetime) -> datetime:
        """Convert a monotonic time to the database's; the same mark gives the same time."""
        if name not in self._converted or self._converted[name][0] != mark:
            self._converted[name] = (mark, at - timedelta(seconds=time.monotonic() - mark))
        return self._converted[name][1]

    def marks(self) -> dict[str, float]:
        """Return times that are columns of Heartbeat, by the monotonic clock."""
        return {"started_at": self._began, "turned_at": self.loop.mark}

    def _replace(self, connection: Connection) -> None:
        """Delete the heartbeats of ended processes of this part and host."""
        for heartbeat in heartbeats.all_known(connection):
            if (heartbeat.part, heartbeat.host) == (self._part, self._instance.rpartition(":")[0]) and _has_ended(
                heartbeat
            ):
                heartbeats.forget(connection, heartbeat)

    def _keep(self) -> None:
        self.write()
        while not self._done.wait(self.every()):
            self.write()

    def start(self) -> None:
        """Start the threads. Returns at once."""
        self._liveness.start()
        self._thread.start()

    def stop(self) -> None:
        """End in good order, and delete the heartbeat."""
        self._done.set()
        if not self._thread.is_alive():
            return
        self._liveness.stop()
        self._thread.join(timeout=self.every())
        if self._started_at is None:
            return
        own = Heartbeat(self._part, self._instance, "", self._started_at, self._started_at)
        try:
            with self._ledger.write() as connection:
                heartbeats.stopped(connection, own)
        except TRANSACTION_ERRORS as error:
            log.warning("the ledger is not told that this %s stopped: %s", self._part, error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _has_ended(heartbeat: Heartbeat) -> bool:
    """Return whether the process of this machine has ended. A reused pid is taken for the process."""
    pid = heartbeat.instance.rpartition(":")[2]
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return True
    except OSError:
        return False
    return False

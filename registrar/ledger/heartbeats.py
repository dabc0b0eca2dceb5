"""Heartbeats of receivers, workers and beats, which tell a living process from a working one.

All times are the database's, so that wrong clocks of processes do no harm; `clock_ahead` says how wrong they are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, text, update

from registrar.ledger.engine import now
from registrar.ledger.tables import heartbeats

PARTS = ("receiver", "worker", "beat")
# Seconds between two heartbeats of a process.
EVERY = 10.0
# Three missed heartbeats.
SILENT_AFTER = timedelta(seconds=35)
# Beat publishes about 40 messages a minute; waiting workers take them in turns.
IDLE_AFTER = timedelta(seconds=60)
# A row is deleted so long after its last heartbeat: long enough to see when a process ended.
KEPT = timedelta(hours=1)


@dataclass(frozen=True)
class Heartbeat:
    """What one process last reported.

    part: receiver, worker or beat. instance: host:pid. last_dispatched_at: when the worker last took a message from
    the broker, or beat last published one; None: never. in_hand: the number of tasks that the worker was running.
    turned_at: when its loop last went round. clock_ahead: seconds that its clock is ahead of the database's; None with
    SQLite, where both are the same machine's. keys: Encryptor.digests, joined by commas. config: the digest of its
    registrar.yml. mlflow: why MLflow did not answer it; "": it did. An optional field that is None was not reported.
    """

    part: str
    instance: str
    version: str
    started_at: datetime
    seen_at: datetime
    last_dispatched_at: datetime | None = None
    in_hand: int = 0
    turned_at: datetime | None = None
    clock_ahead: float | None = None
    keys: str | None = None
    config: str | None = None
    mlflow: str | None = None

    @property
    def host(self) -> str:
        return self.instance.rpartition(":")[0]

    def silent(self, at: datetime) -> bool:
        """Whether the process is dead, hangs, or can't reach the ledger."""
        return at - self.seen_at > SILENT_AFTER

    def stuck(self, at: datetime) -> bool:
        """Whether the process lives and its loop stands still."""
        return self.turned_at is not None and not self.silent(at) and at - self.turned_at > SILENT_AFTER

    def idle(self, at: datetime) -> bool:
        """Whether the process lives, yet exchanges nothing with the broker.

        Where beat and workers are idle, the broker is down. Where beat is not, an idle worker is a stalled consumer, or
        one of more than about 40 that wait.
        """
        last = self.last_dispatched_at or self.started_at
        return self.part != "receiver" and not self.in_hand and at - last > IDLE_AFTER


def time_of(connection: Connection) -> datetime:
    """Return the database's time. With SQLite it is the machine's, which all processes share."""
    if connection.dialect.name == "sqlite":
        return now()
    said: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return said


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """Write a heartbeat, and delete those that are older than KEPT."""
    values = asdict(heartbeat)
    if connection.execute(update(heartbeats).where(_is_same_process(heartbeat)).values(values)).rowcount == 0:
        connection.execute(insert(heartbeats).values(values))
    connection.execute(delete(heartbeats).where(heartbeats.c.seen_at < heartbeat.seen_at - KEPT))


def stopped(connection: Connection, heartbeat: Heartbeat) -> None:
    """Delete the heartbeat of a process that ends in good order; not that of its successor under the same name, which
    began later (a receiver that reads registrar.yml again).
    """
    connection.execute(
        delete(heartbeats).where(_is_same_process(heartbeat), heartbeats.c.started_at <= heartbeat.started_at)
    )


def forget(connection: Connection, heartbeat: Heartbeat) -> None:
    """Delete the heartbeat of a process that is known to be dead and was replaced."""
    connection.execute(delete(heartbeats).where(_is_same_process(heartbeat)))


def all_known(connection: Connection) -> list[Heartbeat]:
    """Return all heartbeats by part, the latest first."""
    query = select(heartbeats).order_by(heartbeats.c.part, heartbeats.c.seen_at.desc())
    return [Heartbeat(**row) for row in connection.execute(query).mappings()]


def _is_same_process(heartbeat: Heartbeat) -> Any:
    return and_(heartbeats.c.part == heartbeat.part, heartbeats.c.instance == heartbeat.instance)


KEYS, CONFIG = "keys", "config"


def mismatches(living: Sequence[Heartbeat]) -> Mapping[str, list[Heartbeat]]:
    """Return the processes that differ from the majority, by KEYS and CONFIG. Of two, the younger one differs."""
    return {KEYS: _keys(living), CONFIG: _config(living)}


def _keys(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    """Each process must be able to decrypt what the majority encrypts, and the majority what each encrypts.

    During a key exchange, NEW,OLD fits OLD,NEW.
    """
    reporting = [process for process in _by_age(living) if process.keys]
    if not reporting:
        return []
    [(usual, _)] = Counter(str(process.keys) for process in reporting).most_common(1)
    return [process for process in reporting if not fits(str(process.keys), usual)]


def fits(keys: str, others: str) -> bool:
    """Return whether each can decrypt what the other encrypts. keys, others: as in Heartbeat."""
    mine, theirs = keys.split(","), others.split(",")
    return mine[0] in theirs and theirs[0] in mine


def _config(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    reporting = [process for process in _by_age(living) if process.config]
    if not reporting:
        return []
    [(usual, _)] = Counter(process.config for process in reporting).most_common(1)
    return [process for process in reporting if process.config != usual]


def _by_age(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    return sorted(living, key=lambda process: process.started_at)

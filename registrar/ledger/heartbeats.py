"""Which processes are alive, by their own word: a process that lives and one that works are told apart."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from registrar.ledger.tables import heartbeats

EVERY = 10.0  # seconds
SILENT_AFTER = timedelta(seconds=35)  # three heartbeats missed
IDLE_AFTER = timedelta(seconds=60)  # beat rings about 40 times a minute; workers that wait take turns
KEPT = timedelta(hours=1)  # after its last word; long enough to read when a part went


@dataclass(frozen=True)
class Heartbeat:
    """What one process last said of itself.

    part: worker or beat. instance: host:pid. last_bell_at: when the worker last took a doorbell from the broker,
    or beat last put one there; None: never. in_hand: the tasks that the worker was running.
    """

    part: str
    instance: str
    version: str
    started_at: datetime
    seen_at: datetime
    last_bell_at: datetime | None = None
    in_hand: int = 0

    def silent(self, at: datetime) -> bool:
        """It is dead, hangs, or can't reach the ledger."""
        return at - self.seen_at > SILENT_AFTER

    def idle(self, at: datetime) -> bool:
        """It lives, yet nothing passes between it and the broker. Where beat and workers are idle, the broker is
        down; where beat is not, the worker is a stalled consumer, or one of
        more than about 40 that wait.
        """
        return not self.in_hand and at - (self.last_bell_at or self.started_at) > IDLE_AFTER


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """Write it down, and drop those that have been silent for KEPT."""
    values = asdict(heartbeat)
    if connection.execute(update(heartbeats).where(_is(heartbeat)).values(values)).rowcount == 0:
        connection.execute(insert(heartbeats).values(values))
    connection.execute(delete(heartbeats).where(heartbeats.c.seen_at < heartbeat.seen_at - KEPT))


def stopped(connection: Connection, heartbeat: Heartbeat) -> None:
    """The process ends in good order: nobody is to miss it."""
    connection.execute(delete(heartbeats).where(_is(heartbeat)))


def all_known(connection: Connection) -> list[Heartbeat]:
    """By part, the one heard last first."""
    query = select(heartbeats).order_by(heartbeats.c.part, heartbeats.c.seen_at.desc())
    return [Heartbeat(**row) for row in connection.execute(query).mappings()]


def _is(heartbeat: Heartbeat) -> Any:
    return and_(heartbeats.c.part == heartbeat.part, heartbeats.c.instance == heartbeat.instance)

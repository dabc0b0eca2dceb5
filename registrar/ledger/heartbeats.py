"""Which processes are alive, by their own word: a process that lives and one that works are told apart.

All times are the database's, whatever the clocks of the processes say: how far those are apart from it is told beside.
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
EVERY = 10.0  # seconds
SILENT_AFTER = timedelta(seconds=35)  # three heartbeats missed
IDLE_AFTER = timedelta(seconds=60)  # beat rings about 40 times a minute; workers that wait take turns
KEPT = timedelta(hours=1)  # after its last word; long enough to read when a part went


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
        """It is dead, hangs, or can't reach the ledger."""
        return at - self.seen_at > SILENT_AFTER

    def stuck(self, at: datetime) -> bool:
        """It lives, and its loop does not go round."""
        return self.turned_at is not None and not self.silent(at) and at - self.turned_at > SILENT_AFTER

    def idle(self, at: datetime) -> bool:
        """It lives, yet nothing passes between it and the broker. Where beat and workers are idle, the broker is
        down; where beat is not, the worker is a stalled consumer, or one of
        more than about 40 that wait.
        """
        last = self.last_dispatched_at or self.started_at
        return self.part != "receiver" and not self.in_hand and at - last > IDLE_AFTER


def time_of(connection: Connection) -> datetime:
    """The database's time. SQLite has its machine's, which is that of all who use it."""
    if connection.dialect.name == "sqlite":
        return now()
    said: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return said


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """Write it down, and drop those that have been silent for KEPT."""
    values = asdict(heartbeat)
    if connection.execute(update(heartbeats).where(_is_same_process(heartbeat)).values(values)).rowcount == 0:
        connection.execute(insert(heartbeats).values(values))
    connection.execute(delete(heartbeats).where(heartbeats.c.seen_at < heartbeat.seen_at - KEPT))


def stopped(connection: Connection, heartbeat: Heartbeat) -> None:
    """The process ends in good order: nobody is to miss it. Who goes on under its name, as a receiver does that reads
    its registrar.yml again, began later.
    """
    connection.execute(
        delete(heartbeats).where(_is_same_process(heartbeat), heartbeats.c.started_at <= heartbeat.started_at)
    )


def forget(connection: Connection, heartbeat: Heartbeat) -> None:
    """The process is known to be dead, and another is in its place."""
    connection.execute(delete(heartbeats).where(_is_same_process(heartbeat)))


def all_known(connection: Connection) -> list[Heartbeat]:
    """By part, the one heard last first."""
    query = select(heartbeats).order_by(heartbeats.c.part, heartbeats.c.seen_at.desc())
    return [Heartbeat(**row) for row in connection.execute(query).mappings()]


def _is_same_process(heartbeat: Heartbeat) -> Any:
    return and_(heartbeats.c.part == heartbeat.part, heartbeats.c.instance == heartbeat.instance)


KEYS, CONFIG = "keys", "config"


def mismatches(living: Sequence[Heartbeat]) -> Mapping[str, list[Heartbeat]]:
    """By what is different, those that are not as the most are. Of two that differ, the one that began first is."""
    return {KEYS: _keys(living), CONFIG: _config(living)}


def _keys(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    """What the most close with must be among the keys of each, and what each closes with among the keys of the most.
    While a key is exchanged, NEW,OLD fits OLD,NEW: either opens what the other closes.
    """
    said = [one for one in _by_age(living) if one.keys]
    if not said:
        return []
    [(usual, _)] = Counter(str(one.keys) for one in said).most_common(1)
    return [one for one in said if not fits(str(one.keys), usual)]


def fits(keys: str, others: str) -> bool:
    """Whether each opens what the other closes. keys, others: as Heartbeat has them."""
    mine, theirs = keys.split(","), others.split(",")
    return mine[0] in theirs and theirs[0] in mine


def _config(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    said = [one for one in _by_age(living) if one.config]
    if not said:
        return []
    [(usual, _)] = Counter(one.config for one in said).most_common(1)
    return [one for one in said if one.config != usual]


def _by_age(living: Sequence[Heartbeat]) -> list[Heartbeat]:
    return sorted(living, key=lambda one: one.started_at)

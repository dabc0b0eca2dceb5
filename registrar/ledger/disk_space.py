"""Whether there is room for more: on the disk, and whether a write really gets through."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from registrar.ledger import heartbeats
from registrar.ledger.engine import Ledger
from registrar.ledger.heartbeats import Heartbeat

# What was accepted must still be finished and written down: the last of the disk is for the worker. SQLite's own log
# grows to 4 MB between two checkpoints.
LEAST_FREE = 16 * 2**20
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_PROBE = Heartbeat("probe", "probe", "", _LONG_AGO, _LONG_AGO)


def free_bytes(ledger: Ledger) -> int | None:
    """Of the disk that the ledger lies on; None where that is not ours to see: PostgreSQL's, or gone."""
    path = ledger.engine.url.database
    if ledger.engine.dialect.name != "sqlite" or not path:
        return None
    try:
        return shutil.disk_usage(Path(path).parent).free
    except OSError:
        return None


def probe(connection: Connection) -> None:
    """Write something and take it away: a disk that is full or read-only shows only when it is written to."""
    heartbeats.beat(connection, _PROBE)
    heartbeats.stopped(connection, _PROBE)

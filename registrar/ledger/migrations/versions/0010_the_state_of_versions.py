"""What decides about a version is the ledger's to say and no tag's: evaluations, quarantines, marks for deletion.

Evaluations are carried over: the newest of each version that an accepted event told of, and that was acted on. What was
told of by an event that was archived is not known, nor when MLflow made the version. Quarantines are in MLflow's tags
alone, where they go on to count; marks for deletion are made anew.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_WHO = ("source", "actor", "actor_name", "body_sha256")
_EVENTS = sa.table("events", *map(sa.column, ("seq", "id", "type", "model", *_WHO)), sa.column("data", sa.JSON()))
_TASKS = sa.table("tasks", *map(sa.column, ("event_id", "name", "state")), sa.column("finished_at", _TIME))
_STATE = ("model", "version", "key", "value", "event_id")
_STATES = sa.table(
    "version_states", *map(sa.column, _STATE), sa.column("at", _TIME), sa.column("version_created_at", _TIME)
)
_ENTRY = ("seq", "kind", "model", "version", "event_id", "event_type", *_WHO, "body", "previous", "hash")
_JOURNAL = sa.table("journal", *map(sa.column, _ENTRY), sa.column("at", _TIME))


def upgrade() -> None:
    op.create_table(
        "version_states",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("model", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("version_created_at", _TIME, nullable=True),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_version_states_event_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_version_states")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_version_states_version", "version_states", ["model", "version", "seq"])
    op.create_index("ix_version_states_event", "version_states", ["event_id"])
    _carry_over(op.get_bind())


def _carry_over(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":  # a worker that still runs must not write between reading and sealing
        op.execute("LOCK TABLE journal IN SHARE ROW EXCLUSIVE MODE")
    last = sa.select(_JOURNAL.c.seq, _JOURNAL.c.hash).order_by(_JOURNAL.c.seq.desc()).limit(1)
    seq, previous = connection.execute(last).one_or_none() or (0, "0" * 64)
    for found in _evaluations(connection):
        seq += 1
        data, at = found["data"], _utc(found["finished_at"])
        about = {"model": found["model"], "version": data["version"], "event_id": found["id"], "at": at}
        row = {**about, "key": "registrar.evaluation", "value": data["run_id"], "version_created_at": None}
        connection.execute(sa.insert(_STATES).values(row))
        entry = {**about, "seq": seq, "kind": "carried over", "event_type": found["type"]}
        entry |= {name: found[name] for name in _WHO}
        said = {"table": "version_states", "row": row}
        body = json.dumps({**entry, "said": said}, sort_keys=True, separators=(",", ":"), default=_iso)
        digest = hashlib.sha256((previous + body).encode()).hexdigest()
        connection.execute(sa.insert(_JOURNAL).values(**entry, body=body, previous=previous, hash=digest))
        previous = digest


def _evaluations(connection: sa.Connection) -> list[Any]:
    """The newest of each version, in the order of their acceptance."""
    done = sa.and_(
        _TASKS.c.event_id == _EVENTS.c.id, _TASKS.c.name == "worker.evaluated", _TASKS.c.state == "succeeded"
    )
    query = (
        sa.select(_EVENTS, _TASKS.c.finished_at).join(_TASKS, done).where(_EVENTS.c.type == "evaluation_run.finished")
    )
    found: dict[tuple[str, int], Any] = {}
    for row in connection.execute(query.order_by(_EVENTS.c.seq)).mappings():
        where = (row["model"], row["data"]["version"])
        found.pop(where, None)
        found[where] = row
    return list(found.values())


def _utc(value: datetime) -> datetime:
    """SQLite keeps no zone."""
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")

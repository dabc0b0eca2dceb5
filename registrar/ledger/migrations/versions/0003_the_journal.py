"""The journal, and which promotion brought a holder where it is; what the record holds already is carried over.

The chain's rules are written out here once more: what a migration wrote must not change with the code.
"""

import hashlib
import heapq
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_GENESIS = "0" * 64
_EVENTS = sa.table("events", *map(sa.column, ("id", "source", "body_sha256", "type", "model", "actor", "actor_name")))
_HOLDERS = sa.table(
    "holders",
    *map(sa.column, ("seq", "model", "kind", "key", "version")),
    *(sa.column(name, _TIME) for name in ("since", "until")),
    *map(sa.column, ("event_id", "actor", "actor_name", "until_event_id", "promotion_id")),
)
_PROMOTIONS = sa.table(
    "promotions",
    *map(sa.column, ("id", "model", "version", "target", "state", "requested_by", "event_id")),
    sa.column("evidence", sa.JSON),
    sa.column("reason"),
    *(sa.column(name, _TIME) for name in ("created_at", "decided_at")),
    sa.column("decided_by"),
    sa.column("broke_glass", sa.Boolean),
)
_VOTES = sa.table(
    "votes",
    *map(sa.column, ("seq", "promotion_id", "event_id", "actor", "verdict")),
    sa.column("counted", sa.Boolean),
    sa.column("why"),
    sa.column("at", _TIME),
)
_DEPLOYMENTS = sa.table(
    "deployments",
    *map(sa.column, ("id", "model", "version", "target", "state", "event_id")),
    *(sa.column(name, _TIME) for name in ("requested_at", "due_at", "ended_at")),
    *map(sa.column, ("ended_by", "environment", "on_failure")),
)
# Of each table: when a row began, what orders rows of one time, and who is behind it.
_CARRIED = {
    "promotions": (_PROMOTIONS, _PROMOTIONS.c.created_at, _PROMOTIONS.c.id, _PROMOTIONS.c.requested_by),
    "votes": (_VOTES, _VOTES.c.at, _VOTES.c.seq, _VOTES.c.actor),
    "holders": (_HOLDERS, _HOLDERS.c.since, _HOLDERS.c.seq, _HOLDERS.c.actor),
    "deployments": (_DEPLOYMENTS, _DEPLOYMENTS.c.requested_at, _DEPLOYMENTS.c.id, _EVENTS.c.actor),
}
_COLUMNS = ("seq", "kind", "model", "version", "event_id", "event_type", "source", "actor", "actor_name", "body_sha256")
_JOURNAL = sa.table("journal", *map(sa.column, (*_COLUMNS, "body", "previous", "hash")), sa.column("at", _TIME))

_REFUSED = "the journal is append-only"
_CONTINUES = f"""
    NEW.seq = (SELECT coalesce(max(seq), 0) + 1 FROM journal)
    AND NEW.previous = coalesce((SELECT hash FROM journal ORDER BY seq DESC LIMIT 1), '{_GENESIS}')
"""  # noqa: S608 (constants)
_SQLITE = (
    f"CREATE TRIGGER journal_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    f"CREATE TRIGGER journal_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    # INSERT OR REPLACE deletes without a word to the trigger above.
    f"""CREATE TRIGGER journal_insert BEFORE INSERT ON journal WHEN NOT ({_CONTINUES})
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}: an entry continues the chain'); END""",
)
_POSTGRESQL = (
    f"""CREATE FUNCTION journal_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF {_CONTINUES} THEN RETURN NEW; END IF;
            RAISE EXCEPTION '{_REFUSED}: an entry continues the chain';
        END IF;
        RAISE EXCEPTION '{_REFUSED}';
    END $$""",
    """CREATE TRIGGER journal_changes BEFORE INSERT OR UPDATE OR DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION journal_refuses()""",
    """CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses()""",
)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":  # a worker that still runs must not write between reading and sealing
        op.execute("LOCK TABLE holders, promotions, votes, deployments IN SHARE ROW EXCLUSIVE MODE")
    # Not by batch_alter_table: SQLite would get a new table, and here both say the same.
    op.execute(
        "ALTER TABLE holders ADD COLUMN promotion_id VARCHAR(40)"
        " CONSTRAINT fk_holders_promotion_id REFERENCES promotions (id)"
    )
    # Both were written in one commit, with one time.
    op.execute(
        "UPDATE holders SET promotion_id = (SELECT min(p.id) FROM promotions p WHERE p.model = holders.model"
        " AND p.version = holders.version AND p.state = 'promoted' AND p.decided_at = holders.since)"
    )
    _create()
    _carry_over(connection)


def _create() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=250), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("actor_name", sa.String(length=320), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_model", "journal", ["model", "seq"])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def _carry_over(connection: sa.Connection) -> None:
    previous = _GENESIS
    rows = heapq.merge(*(_rows(connection, table) for table in _CARRIED), key=lambda row: row[0])
    for seq, (at, found, said) in enumerate(rows, start=1):
        entry = {"seq": seq, "at": at, "kind": "carried over", **found}
        body = json.dumps({**entry, "said": said}, sort_keys=True, separators=(",", ":"), default=_iso)
        digest = hashlib.sha256((previous + body).encode()).hexdigest()
        connection.execute(sa.insert(_JOURNAL).values(**entry, body=body, previous=previous, hash=digest))
        previous = digest


def _rows(connection: sa.Connection, table: str) -> Iterator[tuple[datetime, dict[str, Any], dict[str, Any]]]:
    """Each row of a table, oldest first: its time, what the entry's columns say, and what is said."""
    rows, began, order, actor = _CARRIED[table]
    joined = rows.join(_EVENTS, _EVENTS.c.id == rows.c.event_id)
    about = rows
    if table == "votes":
        about = _PROMOTIONS
        joined = joined.outerjoin(about, about.c.id == rows.c.promotion_id)
    query = sa.select(
        *(column.label(f"row_{column.name}") for column in rows.c),
        sa.func.coalesce(about.c.model, _EVENTS.c.model).label("model"),
        about.c.version.label("version"),
        _EVENTS.c.id.label("event_id"),
        _EVENTS.c.type.label("event_type"),
        _EVENTS.c.source.label("source"),
        actor.label("actor"),
        _EVENTS.c.actor_name.label("actor_name"),
        _EVENTS.c.body_sha256.label("body_sha256"),
    )
    for found in connection.execute(query.select_from(joined).order_by(began, order)).mappings():
        row = {name.removeprefix("row_"): _utc(found[name]) for name in found if name.startswith("row_")}
        row.pop("seq", None)
        entry = {name: found[name] for name in found if not name.startswith("row_")}
        yield row[began.name], entry, {"table": table, "row": row}


def _utc(value: Any) -> Any:
    """SQLite keeps no zone."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")

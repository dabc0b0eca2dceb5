"""The tables, as DESIGN.md section 3 lists them. Changing one needs a migration in migrations/versions/."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class _SqliteTime(sqlite.DATETIME):
    """As SQLAlchemy itself writes it, in a tenth of the time."""

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        return lambda value: value.replace(tzinfo=None).isoformat(" ", "microseconds") if value else None


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps no zone: it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        own = _SqliteTime() if dialect.name == "sqlite" else self.impl_instance  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone is no time for a ledger")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        aware: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC)


# Names for constraints, so that migrations can alter them on both databases.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)
# SQLite numbers rows by itself only in a column of type INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")

# Each version that a record is about, as the registry made it: numbers begin anew in a model that was deleted and made
# again. Append-only.
incarnations = Table(
    "incarnations",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("model", String(250), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),  # by the registry
    Column("run_id", String(256)),
    Column("source", Text, nullable=False),  # where its model is: models:/m-..., or a path
    Column("registry", Text, nullable=False),  # its address when it was first seen
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),  # by which it was
    Column("at", UtcDateTime, nullable=False),
    Index("ix_incarnations_version", "model", "version", "seq"),
    Index("ix_incarnations_event", "event_id"),
    sqlite_autoincrement=True,
)


def _incarnation() -> Column[int]:
    """Of a record about a version: which one it is about; none: it was not noted, before schema 0011."""
    return Column("incarnation", BigInteger, ForeignKey("incarnations.seq"))


events = Table(
    "events",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("source", String(64), nullable=False),
    Column("delivery_id", String(256), nullable=False),
    Column("position", Integer, nullable=False),  # within its delivery
    Column("body_sha256", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("model", String(250)),
    Column("actor", String(320), nullable=False),
    Column("actor_name", String(320), nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
    Column("reply_to", Text),  # sealed (registrar.config.encryption)
    Column("data", JSON, nullable=False),
    Index("uq_events_delivery", "source", "delivery_id", "position", unique=True),
    Index("ix_events_model", "model", "type", "seq"),
    Index("ix_events_about", "model", "seq"),
    Index("ix_events_source", "source", "seq"),
    Index("ix_events_type", "type", "seq"),
    Index("ix_events_actor", "actor", "seq"),
    sqlite_autoincrement=True,
)

tasks = Table(
    "tasks",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),  # the Celery task id
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("event_seq", BigInteger, nullable=False),  # with rank and seq, the place in the lane
    Column("name", String(64), nullable=False),
    Column("lane", String(600), nullable=False),
    Column(
        "rank", SmallInteger, nullable=False, server_default="3"
    ),  # within its lane (registrar.ledger.lane_priority)
    Column("args", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # queued | running | succeeded | refused | failed | dead | dropped
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    # Attempts that failed though the registry answered others.
    Column("doubts", Integer, nullable=False, server_default="0"),
    Column("not_before", UtcDateTime, nullable=False),
    Column("dispatch_at", UtcDateTime, nullable=False),  # when the sweep rings it (again)
    Column("lease", String(40)),
    Column("lease_until", UtcDateTime),
    Column("outcome", JSON),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("ix_tasks_event", "event_id"),
    Index(
        "ix_tasks_open",
        "lane",
        "rank",
        "event_seq",
        "seq",
        sqlite_where=text("state IN ('queued', 'running')"),
        postgresql_where=text("state IN ('queued', 'running')"),
    ),
    # The database itself sees to it that a lane has one runner at most, whatever else goes wrong.
    Index(
        "uq_tasks_running",
        "lane",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index(
        "ix_tasks_failed",
        "finished_at",
        "seq",
        sqlite_where=text("state IN ('failed', 'dead')"),
        postgresql_where=text("state IN ('failed', 'dead')"),
    ),
    Index(
        "ix_tasks_dropped",
        "event_seq",
        sqlite_where=text("state = 'dropped'"),
        postgresql_where=text("state = 'dropped'"),
    ),
    Index(
        "ix_tasks_refused",
        "event_seq",
        sqlite_where=text("state = 'refused'"),
        postgresql_where=text("state = 'refused'"),
    ),
    Index(
        "ix_tasks_answers",
        "lane",
        sqlite_where=text("name = 'worker.answer_github_protection_rule'"),
        postgresql_where=text("name = 'worker.answer_github_protection_rule'"),
    ),
    sqlite_autoincrement=True,
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("model", String(250), nullable=False),
    Column("version", Integer, nullable=False),
    Column("target", String(32), nullable=False),  # the stage
    # waiting | awaiting_approval | approved, then promoted | rejected | expired | superseded | cancelled | failed
    Column("state", String(20), nullable=False),
    Column("requested_by", String(320), nullable=False),
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", String(320)),
    Column("due_at", UtcDateTime),  # when what it waits for has passed: soak, a freeze, a day's limit
    Column("reminded_at", UtcDateTime),
    Column("escalated_at", UtcDateTime),
    Column("broke_glass", Boolean, nullable=False, server_default=false()),
    _incarnation(),
    Index(
        "uq_promotions_open",
        "model",
        "version",
        "target",
        unique=True,
        sqlite_where=text("state IN ('waiting', 'awaiting_approval', 'approved')"),
        postgresql_where=text("state IN ('waiting', 'awaiting_approval', 'approved')"),
    ),
    Index("ix_promotions_about", "model", "created_at", "id"),
    Index("ix_promotions_newest", "created_at", "id"),
    Index("ix_promotions_state", "state", "created_at", "id"),
    Index("ix_promotions_event", "event_id"),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("model", String(250), nullable=False),
    Column("version", Integer, nullable=False),
    Column("target", String(32), nullable=False),  # the stage
    Column("state", String(16), nullable=False),  # requested | live | failed | timed_out | superseded
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # by when it must be confirmed
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(40), ForeignKey("events.id")),
    Column("environment", String(250)),
    Column("on_failure", String(16), nullable=False),  # alert | rollback
    _incarnation(),
    Index("ix_deployments_model", "model", "requested_at"),
    Index("ix_deployments_event", "event_id"),
    Index("ix_deployments_ended_by", "ended_by"),
    Index(
        "uq_deployments_open",
        "model",
        "target",
        unique=True,
        sqlite_where=text("state = 'requested'"),
        postgresql_where=text("state = 'requested'"),
    ),
)

# Which message of which channel is a promotion's card, so that it can be edited and answered in its thread.
cards = Table(
    "cards",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("promotion_id", String(40), ForeignKey("promotions.id"), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("ref", Text, nullable=False),  # the chat system's own name for the message
    Column("fact", JSON, nullable=False),  # what it was made of
    Column("at", UtcDateTime, nullable=False),
    Index("ix_cards_promotion", "promotion_id", "channel"),
    sqlite_autoincrement=True,
)

votes = Table(
    "votes",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("promotion_id", String(40), ForeignKey("promotions.id")),
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("actor", String(320), nullable=False),
    Column("verdict", String(16), nullable=False),  # approve | reject
    Column("counted", Boolean, nullable=False),
    Column("why", Text, nullable=False),  # the voter's reason, or why the vote did not count
    Column("at", UtcDateTime, nullable=False),
    Index("ix_votes_promotion", "promotion_id"),
    Index("ix_votes_event", "event_id"),
    sqlite_autoincrement=True,
)

holders = Table(
    "holders",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("model", String(250), nullable=False),
    Column("kind", String(8), nullable=False),  # stage | alias
    Column("key", String(250), nullable=False),  # Production, champion
    Column("version", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("actor", String(320), nullable=False),
    Column("actor_name", String(320), nullable=False),
    Column("until_event_id", String(40), ForeignKey("events.id")),
    Column("promotion_id", String(40), ForeignKey("promotions.id")),  # that brought it there
    Column("until_because", Text),  # why it ended, where no move ended it
    _incarnation(),
    Index("ix_holders_about", "model", "seq"),
    Index("ix_holders_place", "model", "kind", "key", "seq"),
    Index("ix_holders_event", "event_id"),
    Index("ix_holders_until_event", "until_event_id"),
    Index(
        "uq_holders_open",
        "model",
        "kind",
        "key",
        "version",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
    sqlite_autoincrement=True,
)

# What decides about a version beside where it is (ledger/version_state.py). Append-only.
version_states = Table(
    "version_states",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("model", String(250), nullable=False),
    Column("version", Integer, nullable=False),
    Column("version_created_at", UtcDateTime),  # by the registry; none: not known
    Column("key", String(300), nullable=False),  # of a tag, its name: up to 250 characters
    Column("value", Text),  # none: no more
    Column("at", UtcDateTime, nullable=False),
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Index("ix_version_states_version", "model", "version", "seq"),
    Index("ix_version_states_event", "event_id"),
    sqlite_autoincrement=True,
)

# Not what happened, but what was seen: who held a model's exclusive stages when it was last looked at in the registry,
# so that the next look need not go through all versions. Lost, it is made anew.
looks = Table(
    "looks",
    metadata,
    Column("model", String(250), primary_key=True),
    Column("at", BigInteger, nullable=False),  # the newest change that was seen: ms, by the registry's own clock
    Column("held", JSON, nullable=False),  # {stage: [[version, when it had changed], ...]}
    Column("registry", Text),  # its address; none: not noted
)

# Append-only: triggers refuse all else (migration 0003). It stands by itself: no key holds it to another table, and
# what it says of an event is copied.
journal = Table(
    "journal",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=False),  # 1, 2, 3 ... without a gap
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(64), nullable=False),  # held | released | promotion.opened | promotion.decided | vote | ...
    Column("model", String(250)),
    Column("version", Integer),
    Column("event_id", String(40), nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("actor", String(320), nullable=False),
    Column("actor_name", String(320), nullable=False),
    Column("body_sha256", String(64), nullable=False),  # of the event's delivery
    Column("body", Text, nullable=False),  # canonical JSON of all of the above, and what is `said`
    Column("previous", String(64), nullable=False),  # the hash of the entry before
    Column("hash", String(64), nullable=False),
    Index("ix_journal_model", "model", "seq"),
    Index("ix_journal_event", "event_id"),
    Index(
        "ix_journal_disputes",
        "model",
        "seq",
        sqlite_where=text("kind IN ('record.disputed', 'record.settled')"),
        postgresql_where=text("kind IN ('record.disputed', 'record.settled')"),
    ),
)

rejections = Table(
    "rejections",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("source", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("code", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("size", BigInteger),
    Index("ix_rejections_at", "at"),
    sqlite_autoincrement=True,
)

# The files that old events and rejections were moved to. done_at None: it is being written, or what is in it deleted.
archives = Table(
    "archives",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),  # of the file
    Column("folder", Text, nullable=False),  # where it was written
    Column("kind", String(16), nullable=False),  # events | rejections
    Column("month", String(7), nullable=False),  # 2026-08
    Column("started_at", UtcDateTime, nullable=False),
    Column("deleted", Integer, nullable=False, server_default="0"),  # rows of it that are no more in the ledger
    Column("sha256", String(64)),  # of the file
    Column("done_at", UtcDateTime),
    sqlite_autoincrement=True,
)

# What stays of an archived event: enough to know its delivery when it comes again, and to find the file.
archived = Table(
    "archived",
    metadata,
    Column("event_id", String(40), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("delivery_id", String(256), nullable=False),
    Column("position", Integer, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("archive_seq", BigInteger, ForeignKey("archives.seq"), nullable=False),
    Index("uq_archived_delivery", "source", "delivery_id", "position", unique=True),
)

# Of those who ask by the API. The token itself is shown once, and kept nowhere.
tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),  # stays taken: the record names it
    Column("sha256", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),  # viewer | approver | operator
    Column("person", String(64)),  # of registrar.yml; else a machine's
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("used_at", UtcDateTime),  # to the minute
    Column("revoked_at", UtcDateTime),
)

# What was for one use and has been used: sessions that were signed out of, beginnings of a sign-in. Gone when it would
# be too old anyway.
spent = Table(
    "spent",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    Index("ix_spent_until", "until"),
)

# One row per process: no record, and gone an hour after the process is. Its times are the database's.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("part", String(16), primary_key=True),  # receiver | worker | beat
    Column("instance", String(300), primary_key=True),  # host:pid
    Column("version", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("last_dispatched_at", UtcDateTime),  # when a worker last took one from the broker, or beat rang one
    Column("in_hand", Integer, nullable=False),  # tasks that the worker is running
    Column("turned_at", UtcDateTime),  # when its loop last went round
    Column("clock_ahead", Float),  # seconds that its clock is ahead of the database's; below 0: behind
    Column("keys", String(64)),  # digests of its REGISTRAR_SECRET_KEY, the first of which closes
    Column("config", String(64)),  # the digest of its registrar.yml
    Column("mlflow", Text),  # why MLflow did not answer it; "": it did
)

# No record either: which version of Registrar brought the schema to a revision. An older version names it, for it can't
# use what it does not know.
schema_versions = Table(
    "schema_versions",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

"""Accepted events and their tasks, archived events, rejected requests."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
)

from registrar.ledger.tables.columns import Sequence, UtcDateTime, metadata, partial_index

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
    Column("archive_seq", BigInteger, ForeignKey("archives.seq")),  # the file that has its tasks; none: they are here
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
    Column("dispatch_at", UtcDateTime, nullable=False),  # when the sweep publishes it (again)
    Column("lease", String(40)),
    Column("lease_until", UtcDateTime),
    Column("outcome", JSON),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Index("ix_tasks_event", "event_id"),
    partial_index(
        "ix_tasks_open",
        "lane",
        "rank",
        "event_seq",
        "seq",
        where="state IN ('queued', 'running')",
    ),
    # The database itself sees to it that a lane has one runner at most, whatever else goes wrong.
    partial_index(
        "uq_tasks_running",
        "lane",
        unique=True,
        where="state = 'running'",
    ),
    partial_index(
        "ix_tasks_failed",
        "finished_at",
        "seq",
        where="state IN ('failed', 'dead')",
    ),
    partial_index(
        "ix_tasks_dropped",
        "event_seq",
        where="state = 'dropped'",
    ),
    partial_index(
        "ix_tasks_refused",
        "event_seq",
        where="state = 'refused'",
    ),
    partial_index(
        "ix_tasks_answers",
        "lane",
        where="name = 'worker.answer_github_protection_rule'",
    ),
    sqlite_autoincrement=True,
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

# The files that old events, tasks, journal entries and rejections were moved to. done_at None: it is being written, or
# what is in it deleted.
archives = Table(
    "archives",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),  # of the file
    Column("folder", Text, nullable=False),  # where it was written: a path, or an address such as s3://bucket/prefix
    Column("kind", String(16), nullable=False),  # events | tasks | journal | rejections
    Column("month", String(7), nullable=False),  # 2026-08
    Column("started_at", UtcDateTime, nullable=False),
    Column("deleted", Integer, nullable=False, server_default="0"),  # rows of it that are no more in the ledger
    Column("sha256", String(64)),  # of the file
    Column("done_at", UtcDateTime),
    # The last journal entry in a file of the journal: the chain goes on from it in the ledger.
    Column("until_seq", BigInteger),
    Column("until_hash", String(64)),
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

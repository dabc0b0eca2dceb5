"""The record: which versions were seen, asked for, voted on, deployed, and held what; and the journal of it all."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
)

from registrar.ledger.tables.columns import Sequence, UtcDateTime, incarnation_column, metadata, partial_index

# Incarnations of versions: a model that was deleted and created again reuses version numbers. Append-only.
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
    Index("ix_incarnations_run", "run_id"),
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
    incarnation_column(),
    partial_index(
        "uq_promotions_open",
        "model",
        "version",
        "target",
        unique=True,
        where="state IN ('waiting', 'awaiting_approval', 'approved')",
    ),
    # Lists are ordered by id within a time: both databases sort so few by themselves.
    Index("ix_promotions_about", "model", "created_at"),
    Index("ix_promotions_newest", "created_at"),
    Index("ix_promotions_state", "state", "created_at"),
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
    incarnation_column(),
    Index("ix_deployments_model", "model", "requested_at"),
    Index("ix_deployments_event", "event_id"),
    Index("ix_deployments_ended_by", "ended_by"),
    partial_index(
        "uq_deployments_open",
        "model",
        "target",
        unique=True,
        where="state = 'requested'",
    ),
)

# Chat messages that show a promotion, to be edited and answered in their threads.
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
    incarnation_column(),
    Index("ix_holders_about", "model", "seq"),
    Index("ix_holders_place", "model", "kind", "key", "seq"),
    Index("ix_holders_event", "event_id"),
    Index("ix_holders_until_event", "until_event_id"),
    partial_index(
        "uq_holders_open",
        "model",
        "kind",
        "key",
        "version",
        unique=True,
        where="until IS NULL",
    ),
    sqlite_autoincrement=True,
)

# States of a version beside its stage (registrar/ledger/version_state.py). Append-only.
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
    # Versions that were registered in MLflow, the newest of them by their number.
    partial_index("ix_version_states_taken_in", "model", "seq", where="key = 'registrar.event'"),
    sqlite_autoincrement=True,
)

# Snapshots of a model's exclusive stages as last read from the registry, so that the next read need not list all
# versions. Rebuilt when lost.
looks = Table(
    "looks",
    metadata,
    Column("model", String(250), primary_key=True),
    Column("at", BigInteger, nullable=False),  # the newest change that was seen: ms, by the registry's own clock
    Column("held", JSON, nullable=False),  # {stage: [[version, when it had changed], ...]}
    Column("registry", Text),  # its address; none: not noted
)

# Up to which version each model was dealt with: older than Registrar's first look, taken in, or told. A model without a
# row was never looked at.
watermarks = Table(
    "watermarks",
    metadata,
    Column("model", String(250), primary_key=True),
    Column("version", Integer, nullable=False),  # the highest number; 0: none
    Column("made_at", UtcDateTime, nullable=False),  # the latest creation among them, by the registry's own clock
    Column("registry", Text, nullable=False),  # its address
)

# Append-only, enforced by triggers (migration 0003). Self-contained: no foreign keys, fields of events are copied.
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
    Column("body_sha256", String(64), nullable=False),  # of the event's delivery; "": as in the event's first entry
    Column("body", Text, nullable=False),  # canonical JSON of what is `said`; before schema 0019, of the above too
    Column("previous", String(64), nullable=False),  # "": the hash of the entry before
    Column("hash", String(64), nullable=False),
    Index("ix_journal_model", "model", "seq"),
    Index("ix_journal_event", "event_id"),
    partial_index(
        "ix_journal_disputes",
        "model",
        "seq",
        where="kind IN ('record.disputed', 'record.settled')",
    ),
)

"""API tokens, links to sign in, one-time values, processes, what the poll of MLflow has seen, and the versions that
migrated the schema: no record of models.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from registrar.ledger.tables.columns import UtcDateTime, metadata

# API tokens. The token itself is shown once and not stored.
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

# Links that sign a person in at the pages, once, each with the session that it began. The code in it is not stored.
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("name", String(64), primary_key=True),  # link: and 12 hexadecimal digits; no token's name has a colon
    Column("sha256", String(64), nullable=False, unique=True),  # of the code
    Column("person", String(64), nullable=False),  # of registrar.yml
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),  # unused, it is worth nothing from then on
    Column("used_at", UtcDateTime),  # when its session began
    Column("used_from", String(64)),  # the client's address; none: it had none
    Column("ended_at", UtcDateTime),  # revoked, or its session was signed out of
)

# Values for one use that were used: ended sessions, OIDC states. Deleted when they expire.
spent = Table(
    "spent",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    Index("ix_spent_until", "until"),
)

# One row per process, deleted an hour after its end. Times are the database's.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("part", String(16), primary_key=True),  # receiver | worker | beat
    Column("instance", String(300), primary_key=True),  # host:pid
    Column("version", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("last_dispatched_at", UtcDateTime),  # a worker took a message from the broker, or beat published one
    Column("in_hand", Integer, nullable=False),  # tasks that the worker is running
    Column("turned_at", UtcDateTime),  # when its loop last went round
    Column("clock_ahead", Float),  # seconds that its clock is ahead of the database's; below 0: behind
    Column("keys", String(64)),  # digests of its REGISTRAR_SECRET_KEY, the first of which closes
    Column("config", String(64)),  # the digest of its registrar.yml
    Column("mlflow", Text),  # why MLflow did not answer it; "": it did
)

# What MLflow showed when it was last asked what changed (poll_every). One row, which the migration made.
registry_polls = Table(
    "registry_polls",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="ck_registry_polls_id"), primary_key=True),
    Column("registry", Text),  # its address; none: never polled
    Column("number", BigInteger, nullable=False),  # counts the polls that found a change
    Column(
        "models", JSON, nullable=False
    ),  # {model: [created, in ms by MLflow's clock, newest version, {alias: version}]}
    Column("due_at", UtcDateTime),  # before then no worker polls again
    Column("polled_at", UtcDateTime),  # when MLflow last answered
    Column("trouble", Text),  # why MLflow did not answer the last poll; none: it did
)

# Which version of Registrar migrated the schema to a revision: an older version names it in its error.
schema_versions = Table(
    "schema_versions",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

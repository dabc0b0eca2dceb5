"""What the metrics count from the journal: up to which entry, the counts, and what later entries still need.

All three are written in one commit (registrar/ledger/metrics_checkpoint.py). They can be rebuilt from the journal as
long as all its entries are there.
"""

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, Float, Index, Integer, String, Table, Text

from registrar.ledger.tables.columns import UtcDateTime, metadata

# One row, which the migration made.
metrics_checkpoint = Table(
    "metrics_checkpoint",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="ck_metrics_checkpoint_id"), primary_key=True),
    Column("seq", BigInteger, nullable=False),  # the last counted entry of the journal; 0: none
    Column("hash", String(64), nullable=False),  # of that entry
    Column("complete", Boolean, nullable=False),  # the journal was counted to its end once; until then nothing is shown
    Column("reader", String(300)),  # the process that has many entries to count: host:pid:random
    Column("reader_until", UtcDateTime),  # by the database's time: then another one may go on
)

# One row per series of a counter or histogram.
metrics_series = Table(
    "metrics_series",
    metadata,
    Column("metric", String(100), primary_key=True),  # its name, without registrar_ and _total
    Column("labels", Text, primary_key=True),  # canonical JSON: {"policy":"*","target":"Production"}
    Column("value", Float, nullable=False),  # the count; of a histogram the sum
    Column("buckets", JSON(none_as_null=True)),  # of a histogram: {upper bound: observations in this bucket alone}
)

# What entries to come are counted with: open promotions and deployments, and the newest registered versions.
metrics_subjects = Table(
    "metrics_subjects",
    metadata,
    Column("kind", String(16), primary_key=True),  # promotion | deployment | version
    Column("key", String(300), primary_key=True),  # the id; of a version NUMBER:MODEL
    Column("seq", BigInteger, nullable=False),  # of the entry that it is from
    Column("value", JSON, nullable=False),
    Index("ix_metrics_subjects_age", "kind", "seq"),
)

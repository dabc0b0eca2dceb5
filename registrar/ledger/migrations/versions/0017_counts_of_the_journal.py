"""What the metrics count from the journal is kept in the ledger, so that no process reads the whole journal again.

Nothing is counted here: a million entries would hold the ledger's one writer for minutes. The receiver counts them in
the background, in short commits, and shows none of it before the end. An empty journal is counted already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_GENESIS = "0" * 64


def upgrade() -> None:
    checkpoint = op.create_table(
        "metrics_checkpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("reader", sa.String(length=300), nullable=True),
        sa.Column("reader_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_metrics_checkpoint_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metrics_checkpoint")),
    )
    op.create_table(
        "metrics_series",
        sa.Column("metric", sa.String(length=100), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("metric", "labels", name=op.f("pk_metrics_series")),
    )
    op.create_table(
        "metrics_subjects",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_metrics_subjects")),
    )
    op.create_index("ix_metrics_subjects_age", "metrics_subjects", ["kind", "seq"])
    empty = op.get_bind().execute(sa.text("SELECT seq FROM journal LIMIT 1")).first() is None
    op.execute(checkpoint.insert().values(id=1, seq=0, hash=_GENESIS, complete=empty))

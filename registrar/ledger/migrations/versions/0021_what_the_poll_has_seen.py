"""What MLflow showed when it was last asked what changed (poll_every), so that each change is reported once."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    polls = op.create_table(
        "registry_polls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("registry", sa.Text(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_registry_polls_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_polls")),
    )
    op.bulk_insert(polls, [{"id": 1, "number": 0, "models": {}}])

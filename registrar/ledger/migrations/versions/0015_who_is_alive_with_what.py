"""Heartbeats say more: when a process's loop last went round, how far its clock is ahead of the database's, digests of
its keys and its registrar.yml, and whether MLflow answers it.

Which version of Registrar brought the schema to a revision is noted from now on: an older one can name what is needed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("turned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_ahead", sa.Float(), nullable=True),
        sa.Column("keys", sa.String(length=64), nullable=True),
        sa.Column("config", sa.String(length=64), nullable=True),
        sa.Column("mlflow", sa.Text(), nullable=True),
    ):
        op.add_column("heartbeats", column)
    op.create_table(
        "schema_versions",
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_versions")),
    )

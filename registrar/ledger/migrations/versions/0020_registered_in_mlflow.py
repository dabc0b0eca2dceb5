"""Versions that are registered in MLflow itself are taken in: up to where that was done, of each model.

Nothing is carried over: the first look at a model after the upgrade sets its watermark, and what is there by then stays
as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TAKEN_IN = sa.text("key = 'registrar.event'")


def upgrade() -> None:
    op.create_table(
        "watermarks",
        sa.Column("model", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_watermarks")),
    )
    op.create_index(
        "ix_version_states_taken_in",
        "version_states",
        ["model", "seq"],
        sqlite_where=_TAKEN_IN,
        postgresql_where=_TAKEN_IN,
    )

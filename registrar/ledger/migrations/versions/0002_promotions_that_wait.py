"""Promotions that wait and remind, deployments that are confirmed, cards that are edited."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('waiting', 'awaiting_approval', 'approved')")
_REQUESTED = sa.text("state = 'requested'")


def upgrade() -> None:
    # recreate: SQLite can't drop the old table while votes point at it.
    with op.batch_alter_table("promotions", schema=None, recreate="never") as batch_op:
        for name in ("due_at", "reminded_at", "escalated_at"):
            batch_op.add_column(sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("broke_glass", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.drop_index("uq_promotions_open")
        batch_op.create_index(
            "uq_promotions_open",
            ["model", "version", "target"],
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        )

    op.create_table(
        "deployments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=40), nullable=True),
        sa.Column("environment", sa.String(length=250), nullable=True),
        sa.Column("on_failure", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_deployments_event_id")),
        sa.ForeignKeyConstraint(["ended_by"], ["events.id"], name=op.f("fk_deployments_ended_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
    )
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.create_index("ix_deployments_model", ["model", "requested_at"], unique=False)
        batch_op.create_index(
            "uq_deployments_open",
            ["model", "target"],
            unique=True,
            sqlite_where=_REQUESTED,
            postgresql_where=_REQUESTED,
        )

    op.create_table(
        "cards",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("promotion_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("fact", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["promotion_id"], ["promotions.id"], name=op.f("fk_cards_promotion_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_cards")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.create_index("ix_cards_promotion", ["promotion_id", "channel"], unique=False)
